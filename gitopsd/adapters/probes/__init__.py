"""Asks what objects' health does not tell: pods by HTTP, Prometheus, a Job of the developer's, an expression."""

from gitopsd.adapters.probes.expressions import Checked, expression_problems
from gitopsd.adapters.probes.prober import Prober
from gitopsd.adapters.probes.prometheus import PrometheusServer

__all__ = ["Checked", "Prober", "PrometheusServer", "expression_problems"]
