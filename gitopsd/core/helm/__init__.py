"""What a chart is made of, what helm is asked, and what it says; and where helm and gitopsd mean different things."""
