"""From the files of a directory to objects that are ready to be sent: read strictly, checked, placed."""
