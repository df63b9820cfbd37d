"""Configuration is read once, fails loudly, and keeps secrets to itself."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from utils.config import COLLECT_INTERVALS, Config, ConfigurationError, is_loopback, load_config

#: contract.md, for the variables that exist so far. ROUTER_*: port and user name have their usual values.
DEFAULTS = {
    "DATABASE_URL": None,
    "DATA_DIR": Path("data"),
    "HOST": "127.0.0.1",
    "PORT": 5000,
    "PUBLIC_URL": None,
    "AUTH_MODE": "local",
    "TRUSTED_PROXIES": 0,
    "GOOGLE_CLIENT_ID": None,
    "GOOGLE_CLIENT_SECRET": None,
    "OIDC_DISCOVERY_URL": "https://accounts.google.com/.well-known/openid-configuration",
    "ALLOWED_EMAILS": (),
    "SECRET_KEY": None,
    "SESSION_IDLE_HOURS": 168,
    "SESSION_MAX_DAYS": 30,
    "RATELIMIT_ENABLED": True,
    "RATELIMIT_STORAGE_URI": SecretStr("memory://"),
    "CREDENTIALS_KEYS": (),
    "CORS_ORIGINS": (),
    "COLLECTOR_ENABLED": True,
    "COLLECT_INTERVAL_MINUTES": 5,
    "COLLECTOR_WORKERS": 16,
    "ROUTER_ALLOWED_NETWORKS": tuple(
        map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
    ),
    "ROUTER_CONNECT_TIMEOUT_S": 10,
    "ROUTER_COMMAND_TIMEOUT_S": 30,
    "ROUTER_MAX_OUTPUT_BYTES": 16_777_216,
    "ACCOUNT_MAX_ROUTERS": 100,
    "ROUTER_MAX_DEVICES": 20_000,
    "ROUTER_MAX_LINK_GBITPS": 100,
    "RAW_RETENTION_DAYS": 35,
    "HOURLY_RETENTION_DAYS": 400,
    "DAILY_RETENTION_DAYS": 0,
    "LOG_LEVEL": "INFO",
    "LOG_FORMAT": "text",
    "ROUTER_HOST": None,
    "ROUTER_PASSWORD": None,
    "ROUTER_KEY_FILE": None,
}


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of this machine and no .env of this checkout."""
    monkeypatch.chdir(tmp_path)
    for name in Config.model_fields:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def problem_with(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_config()
    return str(caught.value)


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_defaults_are_those_of_the_contract(name: str, value: object) -> None:
    assert getattr(load_config(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://root@db/netpilot"),
        ("DATABASE_URL", "postgresql+asyncpg://netpilot@db/netpilot"),  # SQLAlchemy's, unknown to libpq
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("PUBLIC_URL", "not a url"),
        ("AUTH_MODE", "none"),
        ("CREDENTIALS_KEYS", "too-short"),
        ("CREDENTIALS_KEYS", "A" * 43 + "="),  # a key, but no random one
        ("CORS_ORIGINS", "*"),
        *[("TRUSTED_PROXIES", value) for value in ("-1", "11", "yes", "1.5")],
        *[("ALLOWED_EMAILS", value) for value in ("anna", "anna@", "@", "a b@example.org", "anna@example.org,*")],
        *[("SECRET_KEY", value) for value in ("short", "x" * 64, "0123456789" * 3, "0123456789abcdef" * 2)],
        ("SECRET_KEY", "change-me-" * 4),
        *[("SECRET_KEY", f"{word}-4jK9vQ2xR7mB5nW8tZ3pL6") for word in ("your-secret-key", "ChangeThis!", "password")],
        *[("SESSION_IDLE_HOURS", value) for value in ("0", "-1", "8761", "nan", "week")],
        *[("SESSION_MAX_DAYS", value) for value in ("0", "366", "inf")],
        ("RATELIMIT_ENABLED", "maybe"),
        *[("RATELIMIT_STORAGE_URI", value) for value in ("memory", "nonsense://x", "postgresql://db/x", "/tmp/x")],
        *[("OIDC_DISCOVERY_URL", value) for value in ("accounts.google.com", "http://id.example.org/x", "https://")],
        *[("PUBLIC_URL", value) for value in ("https://x:port", "https://a:b@x.example", "ftp://x", "https://x?a=b")],
        *[("CORS_ORIGINS", f"https://{rest}") for rest in ("*.example.org", "a:b@x", "x:port", "x?", "x/", "[x]")],
        *[
            ("CORS_ORIGINS", value)
            for value in ("null", "dash.example.org", "file://x", "https://", "https://é.example")
        ],
        ("CORS_ORIGINS", "https://dash.example.org/path"),
        ("CORS_ORIGINS", "https://dash.example.org,dash.example.org"),
        ("COLLECTOR_ENABLED", "maybe"),
        ("COLLECTOR_WORKERS", "0"),
        ("COLLECTOR_WORKERS", "257"),
        ("COLLECTOR_WORKERS", "many"),
        ("ROUTER_ALLOWED_NETWORKS", "10.0.0.0/33"),
        ("ROUTER_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("ROUTER_ALLOWED_NETWORKS", "10.0.0.0/8,home"),
        ("ROUTER_CONNECT_TIMEOUT_S", "0"),
        ("ROUTER_CONNECT_TIMEOUT_S", "-1"),
        ("ROUTER_COMMAND_TIMEOUT_S", "soon"),
        ("ROUTER_COMMAND_TIMEOUT_S", "nan"),
        ("ROUTER_COMMAND_TIMEOUT_S", "inf"),
        ("ROUTER_MAX_OUTPUT_BYTES", "0"),
        ("ROUTER_MAX_OUTPUT_BYTES", "16M"),
        *[("ROUTER_MAX_DEVICES", value) for value in ("0", "-1", "1000001", "many", "1.5")],
        *[("ROUTER_MAX_LINK_GBITPS", value) for value in ("0", "-1", "100001", "fast", "nan", "inf")],
        ("RAW_RETENTION_DAYS", "-1"),
        ("HOURLY_RETENTION_DAYS", "a year"),
        ("DAILY_RETENTION_DAYS", "1.5"),
        ("DAILY_RETENTION_DAYS", "1000000000000"),  # further back than dates go
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        *[
            ("ROUTER_HOST", value)
            for value in (".", "a..b", "-x", "x-", "-x.lan", "a b", ".lan", "a" * 64, "192.168.1.1:22")
        ],
        *[
            ("ROUTER_HOST", value)
            for value in ("256.1.1.1", "192.168.1", "1", "01.2.3.4", "router..", "fe80:::1", "::1::")
        ],
        ("ROUTER_PORT", "0"),
        *[("ROUTER_USERNAME", value) for value in ("-x", "a b", "a$b", "root:x", "müller", "x" * 65)],
        ("ROUTER_KEY_FILE", "/no/such/file"),
        ("ROUTER_TIMEZONE", "Mars/Olympus"),
    ],
)
def test_a_bad_value_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    problem = problem_with(monkeypatch, **{name: value})

    assert problem.startswith(f"{name}: ")
    assert len(problem.splitlines()) == 1


@pytest.mark.parametrize(
    "host",
    [
        "router",
        "OpenWrt.lan",
        "my-router.example.org",
        "router.lan.",
        "my_router",
        "192.168.1.1",
        "fd00::1",
        "1und1.de",
        "a",
    ],
)
def test_hosts_as_people_write_them_are_taken(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("ROUTER_HOST", host)

    assert load_config().router_host == host


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = problem_with(monkeypatch, PORT="0", LOG_LEVEL="LOUD").splitlines()

    assert [line.split(":")[0] for line in lines] == ["PORT", "LOG_LEVEL"]


@pytest.mark.parametrize("minutes", ["0", "-5", "1", "7", "10", "61", "5.5", "five", "5m"])
def test_an_interval_is_one_of_four(monkeypatch: pytest.MonkeyPatch, minutes: str) -> None:
    assert problem_with(monkeypatch, COLLECT_INTERVAL_MINUTES=minutes).startswith("COLLECT_INTERVAL_MINUTES: ")


@pytest.mark.parametrize("minutes", [5, 15, 30, 60])
def test_the_four_intervals_are_taken(monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    monkeypatch.setenv("COLLECT_INTERVAL_MINUTES", str(minutes))

    assert load_config().collect_interval_minutes == minutes
    assert minutes in COLLECT_INTERVALS


@pytest.mark.parametrize(
    "environment",
    [
        {"DATABASE_URL": "mysql://root:hunter2@db/netpilot"},
        {"DATABASE_URL": "hunter2"},
        {"DATABASE_URL": "postgresql+asyncpg://netpilot:hunter2@db/netpilot"},
        {"CREDENTIALS_KEYS": "hunter2", "PORT": "0"},
        {"ROUTER_PASSWORD": "hunter2", "ROUTER_PORT": "0"},
        {"ROUTER_PASSWORD": "hunter2", "HOST": "0.0.0.0"},
        {"SECRET_KEY": "hunter2"},
        {"GOOGLE_CLIENT_SECRET": "hunter2", "AUTH_MODE": "google"},
        {"RATELIMIT_STORAGE_URI": "redis+unknown://:hunter2@cache"},
        {"PUBLIC_URL": "https://admin:hunter2@netpilot.example.org"},
    ],
)
def test_a_complaint_does_not_repeat_a_secret(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    assert "hunter2" not in problem_with(monkeypatch, **environment)


def test_the_new_key_has_to_be_random_and_the_old_one_need_not(monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = Fernet.generate_key().decode(), "A" * 43 + "="
    monkeypatch.setenv("CREDENTIALS_KEYS", f"{new},{old}")
    assert [key.get_secret_value() for key in load_config().credentials_keys] == [new, old]
    assert problem_with(monkeypatch, CREDENTIALS_KEYS=f"{old},{new}").startswith("CREDENTIALS_KEYS: not a random key")
    assert problem_with(monkeypatch, CREDENTIALS_KEYS=f"{new},hunter2").startswith("CREDENTIALS_KEYS: not a random key")


def test_printing_the_configuration_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "hunter2hunter2hunter2hunter2hunter2hunter22="
    monkeypatch.setenv("DATABASE_URL", "postgresql://netpilot:hunter2@db:5432/netpilot")
    monkeypatch.setenv("ROUTER_PASSWORD", "hunter2")
    monkeypatch.setenv("CREDENTIALS_KEYS", key)

    config = load_config()

    assert "hunter2" not in repr(config)
    assert config.database_url is not None
    assert config.database_url.get_secret_value() == "postgresql://netpilot:hunter2@db:5432/netpilot"
    assert [one.get_secret_value() for one in config.credentials_keys] == [key]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://netpilot:s%2Fcret@db.example.org:5432/netpilot?sslmode=require",
        "postgres://netpilot@localhost/netpilot",
        "postgresql:///netpilot?host=/run/postgresql",  # libpq's way to say: the socket of this machine
    ],
)
def test_a_url_that_libpq_takes_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    database_url = load_config().database_url

    assert database_url is not None
    assert database_url.get_secret_value() == url


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "fd00::5", "example.org", "127.0.0.1.example.org"])
def test_local_mode_is_refused_where_others_can_reach_it(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    problem = problem_with(monkeypatch, HOST=host)

    assert problem.startswith("HOST: ")
    assert host in problem
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_local_mode_is_for_this_machine(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("HOST", host)

    assert load_config().host == host


@pytest.mark.parametrize("empty", ["", " ", "\t"])
@pytest.mark.parametrize("name", DEFAULTS)
def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, name: str, empty: str) -> None:
    monkeypatch.setenv(name, empty)

    assert getattr(load_config(), name.lower()) == DEFAULTS[name]


def test_the_file_env_is_read_and_the_environment_goes_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=6000\nLOG_FORMAT=json\n# a comment\nSOMEBODY_ELSES=1\nROUTER_HOST=\n")
    monkeypatch.setenv("PORT", "7000")

    config = load_config()

    assert (config.port, config.log_format, config.router_host) == (7000, "json", None)


def test_a_file_of_secrets_that_others_can_read_is_a_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [Path(".env"), Path("data/credentials.key"), Path("router_key")]
    Path("data").mkdir()
    monkeypatch.setenv("ROUTER_KEY_FILE", "router_key")
    for file in files:
        file.write_text("PORT=6000")
        file.chmod(0o640)

    def doubted() -> list[str]:
        return [doubt.split(" has secrets")[0] for doubt in load_config().doubts]

    assert doubted() == ["data/credentials.key", "router_key"], "there is no secret in that .env"
    files[0].write_text("ROUTER_PASSWORD=hunter2")
    assert doubted() == [".env", "data/credentials.key", "router_key"]
    assert "hunter2" not in "".join(load_config().doubts)
    for file in files:
        file.chmod(0o600)
    assert doubted() == []


def test_a_dotenv_in_another_encoding_is_refused_and_not_quoted() -> None:
    Path(".env").write_bytes("ROUTER_PASSWORD=käse\n".encode("latin-1"))

    with pytest.raises(ConfigurationError, match=r"^\.env: not UTF-8 at byte 18; save it as UTF-8$"):
        load_config()


def test_the_command_line_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "7000")

    assert load_config(port=8000).port == 8000


def test_lists_are_comma_separated_and_spaces_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example.org, http://localhost:3000,")
    monkeypatch.setenv("ROUTER_ALLOWED_NETWORKS", "10.0.0.0/8 ,fd00::/8")

    config = load_config()

    assert config.cors_origins == ("https://a.example.org", "http://localhost:3000")
    assert config.router_allowed_networks == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("1", True), ("0", False)])
def test_a_switch_is_true_or_false(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("COLLECTOR_ENABLED", text)

    assert load_config().collector_enabled is value


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"HOST": "::1", "PORT": "80"}, "http://[::1]:80"),
        ({"HOST": "[::1]"}, "http://[::1]:5000"),
        ({"PUBLIC_URL": "https://netpilot.example.org/"}, "https://netpilot.example.org"),
    ],
)
def test_people_reach_the_server_at_its_base_url(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert load_config().base_url == url


def test_origins_are_compared_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "HTTPS://Dash.Example.org:443,http://[::1]:3000,http://x:443,http://y:80")
    monkeypatch.setenv("PUBLIC_URL", "https://NetPilot.Example.org:443/")

    config = load_config()

    assert config.cors_origins == ("https://dash.example.org", "http://[::1]:3000", "http://x:443", "http://y")
    assert config.base_url == "https://netpilot.example.org"


def test_the_configuration_does_not_change_once_it_is_read() -> None:
    config = load_config()

    with pytest.raises(ValueError, match="frozen"):
        config.port = 6000
