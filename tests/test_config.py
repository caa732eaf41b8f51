"""The operator's file: what it means, and how each fault in it is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from gitopsd.config import Config, expand, literal, load_config
from gitopsd.config.model import EnvironmentConfig, SourceConfig
from gitopsd.core.applyset import apply_set
from gitopsd.core.decryption import KeyServices
from gitopsd.core.errors import ConfigError, Problem, SourceError, Stage

ROOT = Path(__file__).parent.parent
GOOD = """\
sources:
  - name: environments
    url: https://git.example.com/acme/environments.git
environments:
  - path: environments/staging
"""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """Nothing of the machine's own."""
    for name in ("XDG_CACHE_HOME", "GITOPSD_TEST_KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    return monkeypatch


@pytest.fixture
def load(tmp_path):
    def read(text: str) -> Config:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return load_config(path)

    return read


@pytest.fixture
def faults(load):
    def read(text: str) -> list[Problem]:
        with pytest.raises(ConfigError) as raised:
            load(text)
        assert {problem.stage for problem in raised.value.problems} == {Stage.CONFIG}
        return list(raised.value.problems)

    return read


def test_the_example_is_the_schemas_own():
    config = load_config(ROOT / "config.example.yaml")
    assert config.environments[1].decryption.ageKeyFiles == (Path("/var/run/secrets/age/production.txt"),)

    assert [environment.path for environment in config.environments] == [
        "environments/staging",
        "environments/production/*",
    ]
    assert config.environments[1].deny == ("ClusterRole", "ClusterRoleBinding")
    assert config.poll_s("environments") == 30.0


def test_the_least_one_can_say_is_enough(load):
    config = load(GOOD)

    assert (config.namespace, config.workers, config.server.port) == ("gitopsd", 4, 8080)
    assert config.cacheDir == Path("/home/ada/.cache/gitopsd/daemon")
    assert config.leaderElection.enabled


def test_an_environment_may_hold_cluster_scoped_kinds_unless_there_are_rights_in_namespaces_only(load):
    narrow = GOOD + "    namespaces: [shop]\nscope: namespaces\n"

    assert [one.cluster_scoped for one in literal(load(GOOD), "environments")] == [True]
    assert [one.cluster_scoped for one in literal(load(narrow), "environments")] == [False]


def test_probes_ask_nobody_until_a_prometheus_is_named(load):
    assert load(GOOD).prometheus.url == ""


def test_a_prometheus_may_have_a_token_and_an_authority_of_its_own(load):
    named = load(GOOD + "prometheus: {url: 'https://prom.example:9090/p', tokenFile: /t, caFile: /c}\n").prometheus

    assert (named.url, named.tokenFile, named.caFile) == ("https://prom.example:9090/p", Path("/t"), Path("/c"))


@pytest.mark.parametrize(
    ("prometheus", "said"),
    [
        pytest.param("{url: 'ftp://prom.example'}", "must be like https://", id="another scheme"),
        pytest.param("{url: prom.example}", "must be like https://", id="no scheme"),
        pytest.param("{url: 'https://me:hush@prom.example'}", "must have no password", id="a password"),
        pytest.param("{url: 'https://prom.example?token=hush'}", "must have no password", id="a query"),
        pytest.param(
            "{url: 'http://prom.example', tokenFile: /t}", "tokenFile: needs an https url", id="a token in clear"
        ),
    ],
)
def test_a_prometheus_is_named_without_giving_a_secret_away(load, prometheus, said):
    with pytest.raises(ConfigError) as refused:
        load(GOOD + f"prometheus: {prometheus}\n")

    assert said in str(refused.value)
    assert "hush" not in str(refused.value)


def test_the_home_directory_may_be_written_as_people_do(load):
    config = load(GOOD + "kubeconfig: ~/.kube/config\n")

    assert config.kubeconfig == Path("/home/ada/.kube/config")


def test_what_was_read_cannot_be_changed(load):
    with pytest.raises(ValueError):
        load(GOOD).workers = 5


def _keys(model: type[BaseModel], before: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        arguments = getattr(field.annotation, "__args__", ())
        inner = next((one for one in (field.annotation, *arguments) if _is_model(one)), None)
        listed = "[]" if inner in arguments else ""
        found |= _keys(inner, f"{before}{name}{listed}.") if inner else {before + name}
    return found


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _documented() -> dict[str, str]:
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \|", (ROOT / "docs/config.md").read_text(), re.MULTILINE)
    return dict(rows)


def test_every_key_is_documented_and_nothing_else():
    assert set(_documented()) == _keys(Config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sources[].branch", SourceConfig.model_fields["branch"].default),
        ("sources[].poll", f"{SourceConfig.model_fields['poll'].default:g}s"),
        ("workers", Config.model_fields["workers"].default),
        ("server.host", Config.model_fields["server"].default.host),
        ("server.port", Config.model_fields["server"].default.port),
        ("leaderElection.name", Config.model_fields["leaderElection"].default.name),
    ],
)
def test_the_documented_defaults_are_the_real_ones(key, value):
    assert _documented()[key] == f"`{value}`"


SERVICES = (
    "    decryption:\n      pgpKeyFiles: [~/pgp.asc]\n      keyServices:\n"
    "        hc_vault: ['https://vault.example:8200/v1/transit/keys/*', 'http://127.0.0.1:8200/v1/transit/keys/shop']\n"
    "        kms: ['arn:aws:kms:eu-west-1:111122223333:key/*']\n"
    "        vaultTokenFile: ~/token\n        variables: {AWS_ROLE_ARN: r}\n        files: {VAULT_CACERT: ~/ca}\n"
)


def test_what_opens_files_reaches_the_environment(load):
    config = load(GOOD + SERVICES)
    (environment,) = literal(config, "environments")

    assert environment.pgp_key_files == ("/home/ada/pgp.asc",)
    assert environment.key_services == KeyServices(
        allowed=(
            ("kms", "arn:aws:kms:eu-west-1:111122223333:key/*"),
            ("hc_vault", "https://vault.example:8200/v1/transit/keys/*"),
            ("hc_vault", "http://127.0.0.1:8200/v1/transit/keys/shop"),
        ),
        variables=(("AWS_ROLE_ARN", "r"),),
        files=(("VAULT_CACERT", "/home/ada/ca"),),
        vault_token_file="/home/ada/token",
    )
    assert config.needs_sops
    assert not load(GOOD).needs_sops
    assert not load(GOOD + "    decryption: {ageKeyFiles: [a]}\n").needs_sops


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ("hc_vault: ['http://vault.example:8200/v1/transit/keys/shop']", "must be like https://vault.example"),
        ("hc_vault: ['https://vault.example:8200']", "must be like https://vault.example"),
        ("hc_vault: ['https://vault.example*']", "must be like https://vault.example"),
        ("hc_vault: ['https://ada@vault.example/v1']", "must be like https://vault.example"),
        ("azure_kv: ['https://*.vault.azure.net/keys/shop']", "must be like https://vault.example"),
        ("kms: ['*']", "* may stand at its end"),
        ("kms: ['arn:aws:kms:*:111122223333:key/k']", "* may stand at its end"),
        ("kms: ['arn:aws:kms:eu-west-1*']", "* may stand at its end"),
        ("variables: {SOPS_KEYSERVICE: x}", "must be a variable that shows credentials"),
        ("files: {path: x}", "must be a variable that shows credentials"),
        ("pgp: [x]", "is not a key that is known here"),
    ],
)
def test_services_are_named_so_that_they_mean_one_thing(faults, services, said):
    (fault,) = faults(GOOD + f"    decryption:\n      keyServices:\n        {services}\n")

    assert said in fault.message
    assert fault.line == 8


SOURCE = "sources:\n  - {name: a, url: 'https://h/a.git'}\n"
TWO_SOURCES = SOURCE + "  - {name: b, url: 'https://h/b.git'}\n"

FAULTS = {
    "a misspelt key": (GOOD + "worker: 3\n", 6, "CONFIG_UNKNOWN_KEY", "worker:", "did you mean workers?"),
    "a misspelt key below": (
        GOOD.replace("    url:", "    auth: {tokenfile: x}\n    url:"),
        3,
        "CONFIG_UNKNOWN_KEY",
        "sources[0].auth.tokenfile",
        "did you mean tokenFile?",
    ),
    "a key that is like no other": (GOOD + "zzz: 1\n", 6, "CONFIG_UNKNOWN_KEY", "zzz", "known here are sources"),
    "a key is missing": (GOOD.replace("url", "branch"), 2, "CONFIG_MISSING_KEY", "sources[0].url", ""),
    "no environments": (SOURCE, 1, "CONFIG_MISSING_KEY", "environments", ""),
    "an empty list of environments": (SOURCE + "environments: []\n", 3, "CONFIG_INVALID", "environments", ""),
    "a number without a unit": (GOOD.replace("    url", "    poll: 30\n    url"), 3, "CONFIG_INVALID", "like 30s", ""),
    "a text without a unit": (GOOD.replace("    url", "    poll: '5'\n    url"), 3, "CONFIG_INVALID", "duration", ""),
    "polling without end": (GOOD.replace("    url", "    poll: 1ms\n    url"), 3, "CONFIG_INVALID", "between 1s", ""),
    "polling never": (GOOD.replace("    url", "    poll: 25h\n    url"), 3, "CONFIG_INVALID", "and 24h", ""),
    "a negative time": (GOOD.replace("    url", "    poll: -5s\n    url"), 3, "CONFIG_INVALID", "duration", ""),
    "a time of zero": (GOOD.replace("    url", "    poll: 0s\n    url"), 3, "CONFIG_INVALID", "between", ""),
    "plain text transport": (GOOD.replace("https", "http"), 2, "CONFIG_INVALID", "plain text", ""),
    "a branch that is a commit": (
        GOOD.replace("    url", f"    branch: {'a' * 40}\n    url"),
        3,
        "CONFIG_INVALID",
        "follows branches",
        "",
    ),
    "a key without known hosts": (
        GOOD.replace("    url", "    auth: {sshKeyFile: /k}\n    url"),
        3,
        "CONFIG_INVALID",
        "knownHostsFile",
        "",
    ),
    "signatures that cannot be verified": (
        GOOD.replace("    url", "    verify: {mode: gpg}\n    url"),
        3,
        "FEATURE_NOT_AVAILABLE",
        "verify.mode",
        "use mode: none",
    ),
    "a path that leads out": (GOOD.replace("environments/staging", "../x"), 5, "CONFIG_INVALID", "directory", ""),
    "a star in the middle": (GOOD.replace("environments/staging", "a/*/b"), 5, "CONFIG_INVALID", "last part", ""),
    "a star within a name": (GOOD.replace("environments/staging", "a/b*"), 5, "CONFIG_INVALID", "last part", ""),
    "the whole repository without a name": (GOOD.replace("environments/staging", "/"), 5, "CONFIG_INVALID", "name", ""),
    "an empty bound": (GOOD + "    namespaces: []\n", 5, "CONFIG_INVALID", "bounds nothing", ""),
    "a namespace that is none": (GOOD + "    namespaces: [Shop]\n", 6, "CONFIG_INVALID", "namespace", ""),
    "rights in namespaces, and none is named": (
        GOOD + "scope: namespaces\n",
        *(5, "CONFIG_INVALID", "environments[0].namespaces: is missing", "name each namespace"),
    ),
    "rights in namespaces, and a pattern of them": (
        GOOD + "    namespaces: [shop, 'shop-*']\nscope: namespaces\n",
        *(6, "CONFIG_INVALID", "shop-* is a pattern", "name each namespace"),
    ),
    "a scope that is none": (GOOD + "scope: namespace\n", 6, "CONFIG_INVALID", "'cluster' or 'namespaces'", ""),
    "a kind that is none": (GOOD + "    deny: [clusterroles]\n", 6, "CONFIG_INVALID", "must be a kind", ""),
    "an account that is none": (GOOD + "    serviceAccount: 'a:b'\n", 6, "CONFIG_INVALID", "serviceAccount", ""),
    "a name that is none": (GOOD + "    name: a b\n", 6, "CONFIG_INVALID", "production/web", ""),
    "a source that is none": (GOOD + "    source: environment\n", 6, "CONFIG_UNKNOWN_SOURCE", "", "mean environments?"),
    "a source left open": (
        TWO_SOURCES + "environments: [{path: x/a}]\n",
        4,
        "CONFIG_MISSING_KEY",
        "which of the sources",
        "a, b",
    ),
    "two sources of one name": (
        SOURCE + "  - {name: a, url: 'https://h/b.git'}\nenvironments: [{path: x/a, source: a}]\n",
        3,
        "CONFIG_DUPLICATE",
        "used twice",
        "",
    ),
    "a port that is none": (GOOD + "server: {port: 65536}\n", 6, "CONFIG_INVALID", "65535", ""),
    "a server for everybody": (GOOD + "server: {host: 0.0.0.0}\n", 6, "CONFIG_INVALID", "must be kubernetes", ""),
    "a host with its port": (
        GOOD + "server: {allowedHosts: ['a.example:80']}\n",
        6,
        "CONFIG_INVALID",
        "a host name",
        "",
    ),
    "names beside tokens": (
        GOOD + "server: {auth: kubernetes, allowedHosts: [a.example]}\n",
        *(6, "CONFIG_INVALID", "allowedHosts: mean nothing", ""),
    ),
    "tokens for nobody": (GOOD + "server: {audiences: [a]}\n", 6, "CONFIG_INVALID", "auth: kubernetes", ""),
    "no workers": (GOOD + "workers: 0\n", 6, "CONFIG_INVALID", "greater than or equal to 1", ""),
    "a key written twice": (GOOD + "workers: 1\nworkers: 2\n", 7, "YAML_DUPLICATE_KEY", "workers", ""),
    "two documents": (GOOD + "---\n" + GOOD, 0, "CONFIG_INVALID", "one document, not 2", ""),
    "nothing": ("", 0, "CONFIG_INVALID", "one document, not 0", ""),
    "a list": ("[]", 1, "CONFIG_INVALID", "mapping", ""),
}


@pytest.mark.parametrize("fault", [pytest.param(fault, id=what) for what, fault in FAULTS.items()])
def test_a_fault_is_told_with_its_place(faults, fault):
    text, line, code, message, hint = fault
    found = {problem.code: problem for problem in faults(text)}

    assert (found[code].line, found[code].file[-11:]) == (line, "config.yaml")
    assert message in found[code].message
    assert hint in found[code].hint


def test_every_fault_is_told_at_once(faults):
    text = GOOD.replace("https", "http") + "    deny: [x]\nworker: 3\nserver: {port: -1}\n"

    assert len(faults(text)) == 4


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "nowhere.yaml")

    assert raised.value.problem.code == "CONFIG_UNREADABLE"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://ada:s3cr3t@h/a.git", id="a password in the address"),
        pytest.param("https://h/a.git?token=s3cr3t", id="a token in the query"),
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(faults, url):
    found = faults(GOOD.replace("https://git.example.com/acme/environments.git", url))

    assert "s3cr3t" not in repr(found)
    assert "tokenFile" in found[0].message + found[0].hint


OVERLAPS = {
    "one directory twice": ([("x/a", "a"), ("x/a", "a")], "x/a and x/a overlap"),
    "a directory and one below it": ([("x/a", "a"), ("x/a/b", "a")], "x/a/b and x/a overlap"),
    "a directory and one above it": ([("x/a/b", "a"), ("x/a", "a")], "x/a and x/a/b overlap"),
    "a pattern and what it finds": ([("x/*", "a"), ("x/a", "a")], "x/a and x/* overlap"),
    "a pattern and what lies below it": ([("x/*", "a"), ("x/a/b", "a")], "overlap"),
    "a pattern twice": ([("x/*", "a"), ("x/*", "a")], "overlap"),
    "all directories and one": ([("*", "a"), ("x/a", "a")], "overlap"),
    "one name from two sources": ([("x/a", "a"), ("x/a", "b")], "two environments could be called a"),
    "one name from two directories": ([("x/a", "a"), ("y/a", "a")], "two environments could be called a"),
    "a name that a pattern may find": ([("x/*", "a"), ("y/a", "b")], "two environments could be called a"),
    "two patterns that may find one name": ([("x/*", "a"), ("y/*", "b")], "two environments could be called *"),
}


def _with(paths: list[tuple[str, str]]) -> str:
    return TWO_SOURCES + "environments:\n" + "".join(f"  - {{path: '{path}', source: {at}}}\n" for path, at in paths)


@pytest.mark.parametrize(("paths", "message"), [pytest.param(*case, id=what) for what, case in OVERLAPS.items()])
def test_no_object_and_no_record_has_two_environments(faults, paths, message):
    (problem,) = faults(_with(paths))

    assert (problem.code, problem.line) == ("CONFIG_OVERLAP", 6)
    assert message in problem.message


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param([("x/a", "a"), ("x/ab", "a")], id="a name that begins like another"),
        pytest.param([("x/a", "a"), ("x/b/*", "a")], id="a pattern elsewhere"),
        pytest.param([("x/*", "a"), ("y/b/*", "b")], id="patterns of different depth in two sources"),
    ],
)
def test_neighbours_do_not_overlap(load, paths):
    assert len(load(_with(paths)).environments) == 2


def _directories(pattern: str) -> tuple[str, ...]:
    return {"environments/production/*": ("environments/production/api", "environments/production/web")}[pattern]


def test_a_pattern_is_one_environment_per_directory():
    config = load_config(ROOT / "config.example.yaml")
    staging, api, web = expand(config, "environments", _directories)

    assert [one.name for one in (staging, api, web)] == ["staging", "production/api", "production/web"]
    assert (web.path, web.namespaces) == ("environments/production/web", ("shop-*",))
    assert web.user == "system:serviceaccount:gitopsd:gitopsd-production"
    assert staging.user == ""
    assert web.apply_set == apply_set("production/web", "gitopsd")


def test_what_a_pattern_finds_is_not_guessed_when_git_is_silent():
    def silent(_):
        raise SourceError(Problem(code="GIT_NOT_FETCHED", stage=Stage.FETCH, message="no"))

    config = load_config(ROOT / "config.example.yaml")
    with pytest.raises(SourceError):
        expand(config, "environments", silent)

    assert [one.name for one in literal(config, "environments")] == ["staging"]


def test_each_source_has_its_own_environments(load):
    config = load(_with([("x/a", "a"), ("x/b", "b")]))

    assert [one.path for one in expand(config, "b", _directories)] == ["x/b"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("environments/staging", "staging", id="the first directory is left out"),
        pytest.param("environments/production/web", "production/web", id="the others are kept"),
        pytest.param("staging", "staging", id="an only directory is the name"),
        pytest.param("/environments/staging/", "staging", id="slashes at the ends say nothing"),
    ],
)
def test_an_environment_is_called_by_its_path(load, path, name):
    (environment,) = literal(load(GOOD.replace("environments/staging", path)), "environments")

    assert environment.name == name


def test_a_new_entry_renames_no_environment(load):
    alone = load(GOOD.replace("environments/staging", "environments/production/web"))
    more = load(
        GOOD.replace("environments/staging", "environments/production/web") + "  - path: environments/staging\n"
    )

    assert literal(alone, "environments")[0] == literal(more, "environments")[0]


def test_a_name_of_ones_own_comes_before_what_a_pattern_finds(load):
    config = load(GOOD.replace("environments/staging", "environments/production/*") + "    name: live\n")

    assert [one.name for one in expand(config, "environments", _directories)] == ["live/api", "live/web"]


def test_the_whole_repository_can_be_an_environment(load):
    (environment,) = literal(load(GOOD.replace("environments/staging", "/") + "    name: all\n"), "environments")

    assert (environment.name, environment.path) == ("all", "")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param("GITOPSD_NAMESPACE", "ops", ("ops", 1, True), id="a value"),
        pytest.param("GITOPSD_SERVER__PORT", "9000", ("gitopsd", 9000, True), id="a value in a section"),
        pytest.param("GITOPSD_LEADERELECTION__ENABLED", "false", ("gitopsd", 1, False), id="a flag"),
    ],
)
def test_a_variable_overrides_the_file(load, surroundings, variable, value, expected):
    surroundings.setenv(variable, value)
    config = load(GOOD + "namespace: gitopsd\nserver: {host: localhost, port: 1}\n")

    assert (config.namespace, config.server.port, config.leaderElection.enabled) == expected
    assert config.server.host == "localhost"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        pytest.param("GITOPSD_SERVER", "http://127.0.0.1:8080", id="the command line's own"),
        pytest.param("GITOPSD_CONFIG", "config.yaml", id="the file's name"),
        pytest.param("GITOPSD_PORT", "tcp://10.0.0.1:8080", id="of a Service called gitopsd: its port"),
        pytest.param("GITOPSD_SERVICE_HOST", "10.0.0.1", id="of a Service called gitopsd: its host"),
        pytest.param("GITOPSD_PORT_8080_TCP_ADDR", "10.0.0.1", id="of a Service called gitopsd: its address"),
    ],
)
def test_what_others_call_alike_overrides_nothing(load, surroundings, variable, value):
    before = load(GOOD)
    surroundings.setenv(variable, value)

    assert load(GOOD) == before


@pytest.mark.parametrize(
    ("variable", "code", "hint"),
    [
        pytest.param("GITOPSD_WORKER", "CONFIG_UNKNOWN_KEY", "GITOPSD_WORKERS?", id="misspelt"),
        pytest.param("GITOPSD_SERVER__PRT", "CONFIG_UNKNOWN_KEY", "GITOPSD_SERVER__PORT?", id="misspelt in a section"),
        pytest.param("GITOPSD_SRV__X", "CONFIG_UNKNOWN_KEY", "", id="in a section that is none"),
        pytest.param("GITOPSD_SOURCES__0__URL", "CONFIG_UNKNOWN_KEY", "in the file", id="a source"),
        pytest.param("GITOPSD_WORKERS", "CONFIG_INVALID", "", id="a value that is wrong"),
    ],
)
def test_a_variable_that_cannot_override_is_named(faults, surroundings, variable, code, hint):
    surroundings.setenv(variable, "many")
    (problem,) = faults(GOOD)

    assert (problem.code, problem.file) == (code, "")
    assert problem.message.startswith(variable)
    assert hint in problem.hint


def test_no_value_of_a_variable_is_repeated(faults, surroundings):
    surroundings.setenv("GITOPSD_WORKERS", "s3cr3t")

    assert "s3cr3t" not in repr(faults(GOOD))


def test_every_key_of_an_environment_is_a_bound_or_a_place():
    bounds = {"namespaces", "deny", "serviceAccount", "decryption"}
    assert set(EnvironmentConfig.model_fields) == {"path", "name", "source"} | bounds
