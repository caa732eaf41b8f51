"""The command line: reads arguments, calls, prints. Results on standard output, everything else on standard error."""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence

from rig.archives import table
from rig.binaries import CATALOGUE, binary_path, build
from rig.cluster import Nodes, load_cluster
from rig.errors import RigError
from rig.lifecycle import Wish, clusters, down, is_whole, up
from rig.paths import cluster_folder
from rig.product import product_image, product_image_twice
from rig.say import say


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 when it did what it says."""
    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asked.command(asked)
    except RigError as refusal:
        print(f"rig: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("rig: interrupted; nothing half-made is left", file=sys.stderr)
        return 130
    return 0


def _up(asked: argparse.Namespace) -> None:
    cluster = up(Wish(name=asked.name, nodes=Nodes(asked.nodes), port=asked.port))
    print(cluster.kubeconfig)


def _down(asked: argparse.Namespace) -> None:
    names = [cluster.name for cluster in clusters()] if asked.all else [asked.name]
    for name in names:
        print(f"{name}: {'down' if down(name) else 'there was none'}")


def _status(_: argparse.Namespace) -> None:
    for cluster in clusters():
        state = "up" if is_whole(cluster) else "abandoned" if cluster.is_abandoned() else "broken"
        print(f"{cluster.name}: {state}, nodes {cluster.nodes}, {cluster.server}, {cluster.folder}")
        for name in cluster.programs.names():
            who = cluster.programs.identity(name)
            print(f"  {name}: {f'pid {who.pid}' if who and who.is_alive() else 'ended'}")
    if not clusters():
        print("no cluster")


def _build(asked: argparse.Namespace) -> None:
    for path in build(list(CATALOGUE) if asked.all else asked.binary).values():
        print(path)


def _image(asked: argparse.Namespace) -> None:
    made = product_image_twice() if asked.twice else product_image()
    if asked.twice:
        say("both are equal; packing the layers, as a registry does")
        print(table(made))
    print(made)


def _env(asked: argparse.Namespace) -> None:
    cluster = load_cluster(cluster_folder(asked.name))
    if cluster is None:
        raise RigError(
            f"There is no cluster '{asked.name}'", remedy=f"Make it: `python -m rig up --name {asked.name}`."
        )
    folders = {shlex.quote(str(binary_path(name).parent)): None for name in CATALOGUE if binary_path(name).exists()}
    print(f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")
    print(f"export PATH={':'.join(folders)}:$PATH")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rig", description="A real Kubernetes from nothing.")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("up", help="bring a cluster up; the last line is its kubeconfig's path")
    _name(command)
    command.add_argument("--nodes", choices=[str(nodes) for nodes in Nodes], default="kwok")
    command.add_argument("--port", type=int, help="of the API server; a free one is chosen without it")
    command.set_defaults(command=_up)
    command = commands.add_parser("down", help="end a cluster and leave nothing")
    _name(command)
    command.add_argument("--all", action="store_true", help="every cluster")
    command.set_defaults(command=_down)
    command = commands.add_parser("status", help="list the clusters and what runs for them")
    command.set_defaults(command=_status)
    command = commands.add_parser("build", help="build programs without starting anything; prints their paths")
    command.add_argument("binary", nargs="*", default=["kubectl"], metavar="|".join(CATALOGUE))
    command.add_argument("--all", action="store_true", help="every program")
    command.set_defaults(command=_build)
    command = commands.add_parser("image", help="build gitopsd's image without a registry; prints its archive's path")
    command.add_argument("--twice", action="store_true", help="all of it, two times, and refuse a difference")
    command.set_defaults(command=_image)
    command = commands.add_parser("env", help='for the shell: eval "$(python -m rig env)"')
    _name(command)
    command.set_defaults(command=_env)
    return parser


def _name(command: argparse.ArgumentParser) -> None:
    command.add_argument("--name", default="default", help="of the cluster; several run side by side")
