"""House rules that no linter knows: design.md's floors and names, contract.md's codes, documented settings."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from utils.config import Config
from utils.errors import NetPilotError

ROOT = Path(__file__).parent.parent
FLOORS = ["endpoints", "services", "db_operations", "commands_server_operations", "utils"]
MOST_LINES = 400

#: contract.md's table of error codes, and SERVER_CLOCK.
STATUS_OF_CODE = {
    "VALIDATION_ERROR": 400,
    "ROUTER_REQUIRED": 400,
    "UNAUTHENTICATED": 401,
    "CSRF_FAILED": 403,
    "INSUFFICIENT_SCOPE": 403,
    "SIGN_IN_REFUSED": 403,
    "NOT_FOUND": 404,
    "ROUTER_NOT_FOUND": 404,
    "DEVICE_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "RATE_LIMITED": 429,
    "ROUTER_UNREACHABLE": 502,
    "ROUTER_AUTH_FAILED": 502,
    "HOST_KEY_CHANGED": 502,
    "ROUTER_ADDRESS_NOT_ALLOWED": 502,
    "NLBWMON_MISSING": 502,
    "NLBWMON_DOWN": 502,
    "BAD_ROUTER_OUTPUT": 502,
    "OUTPUT_TOO_LARGE": 502,
    "ROWS_FROZEN": 502,
    "DATABASE_UNAVAILABLE": 503,
    "SERVER_CLOCK": 503,
    "SIGN_IN_UNAVAILABLE": 503,
    "ROUTER_TIMEOUT": 504,
    "INTERNAL": 500,
}

#: The plan's functions in the files that design.md fixes. Those of later issues are left out until they are built.
FUNCTIONS = {
    "commands_server_operations/device_usage_execute.py": [
        "get_current_bandwidth_data",
        "get_historical_bandwidth_data",
        "get_device_list",
        "validate_nlbwmon_status",
    ],
    "utils/nlbwmon_parser.py": [
        "parse_nlbw_json",
        "normalize_device_data",
        "calculate_usage_metrics",
        "identify_device_changes",
    ],
    "db_operations/device_usage_db.py": [
        "store_device_usage_snapshot",
        "get_device_usage_history",
        "update_device_metadata",
        "cleanup_old_data",
    ],
    "services/device_usage_analytics.py": [
        "calculate_usage_trends",
        "detect_anomalies",
        "generate_usage_reports",
        "compare_periods",
    ],
    "services/device_usage_export.py": ["export_to_csv", "export_to_json", "generate_usage_report"],
}
FILES = [
    "endpoints/device_usage.py",
    "services/device_usage_service.py",
    "services/device_usage_collector.py",
    "services/device_usage_analytics.py",
    *FUNCTIONS,
]


def product_files() -> list[Path]:
    folders = [*FLOORS, "simulator", "dashboard"]
    return [
        *ROOT.glob("*.py"),
        *(
            path
            for folder in folders
            for path in (ROOT / folder).rglob("*")
            if path.suffix in (".py", ".js", ".css", ".html")
        ),
    ]


def imported_by(path: Path) -> Iterator[str]:
    """First parts of the names of what a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def error_classes() -> list[type[NetPilotError]]:
    """Every error of the product, wherever it is defined."""
    for floor in FLOORS:
        for module in pkgutil.iter_modules([str(ROOT / floor)], f"{floor}."):
            importlib.import_module(module.name)
    found, queue = [], [NetPilotError]
    while queue:
        error = queue.pop()
        queue += error.__subclasses__()
        if error.__module__.split(".")[0] in FLOORS:
            found.append(error)
    return sorted(set(found), key=lambda error: error.__name__)


# -- who may import whom --------------------------------------------------------------------------------------


def test_nobody_imports_what_his_floor_may_not() -> None:
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"

    outcome = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "0 broken" in outcome.stdout


def test_nothing_that_bandit_knows_is_in_the_product() -> None:
    command = [sys.executable, "-m", "bandit", "--quiet", "--recursive", "--configfile", "pyproject.toml", "."]

    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_an_exception_for_bandit_says_why() -> None:
    found = [
        line.strip()
        for path in product_files()
        if path.suffix == ".py"
        for line in path.read_text().splitlines()
        if "nosec" in line
    ]

    assert found
    assert [line for line in found if not re.search(r"# nosec B\d{3} # \w.{6,}", line)] == []


@pytest.mark.parametrize("name", ["server.py", "demo.py"])
def test_the_composition_root_names_no_driver(name: str) -> None:
    assert not {"psycopg2", "paramiko"} & set(imported_by(ROOT / name))


@pytest.mark.parametrize(
    ("library", "floor"), [("psycopg2", "db_operations"), ("paramiko", "commands_server_operations")]
)
def test_a_driver_is_named_on_one_floor_alone(library: str, floor: str) -> None:
    python = [path for path in product_files() if path.suffix == ".py" and "simulator" not in path.parts]

    users = {path.relative_to(ROOT).parts[0] for path in python if library in imported_by(path)}

    assert users == {floor}


# -- files and names ------------------------------------------------------------------------------------------


def test_no_file_is_too_long_to_be_read() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in product_files()}

    assert len(lengths) > 50
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


@pytest.mark.parametrize("name", FILES)
def test_a_fixed_file_is_there(name: str) -> None:
    assert (ROOT / name).is_file()


@pytest.mark.parametrize(
    ("name", "function"), [(name, one) for name, functions in FUNCTIONS.items() for one in functions]
)
def test_a_function_of_the_plan_is_where_the_design_puts_it(name: str, function: str) -> None:
    body = ast.parse((ROOT / name).read_text()).body

    (definition,) = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == function]
    assert ast.get_docstring(definition)


def test_every_module_says_what_it_is_for() -> None:
    python = [path for path in product_files() if path.suffix == ".py"]

    assert [str(path) for path in python if not ast.get_docstring(ast.parse(path.read_text()))] == []


# -- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_an_error_has_a_message_for_people_and_a_code_of_the_contract(error: type[NetPilotError]) -> None:
    assert error.__dict__.get("__doc__"), "its docstring is its message"
    message = error().message
    assert len(message.split()) >= 4
    assert "\n" not in message
    assert STATUS_OF_CODE.get(error.code) == error.status


def test_the_errors_found_are_all_of_them() -> None:
    assert {"ValidationFailed", "RouterTimeout", "CredentialsUnreadable"} <= {
        error.__name__ for error in error_classes()
    }


# -- settings -------------------------------------------------------------------------------------------------

VARIABLES = [name.upper() for name in Config.model_fields]


@pytest.mark.parametrize("name", ["docs/configuration.md", ".env.example"])
def test_every_variable_is_explained(name: str) -> None:
    path = ROOT / name
    assert path.is_file(), f"{name} does not exist"
    text = path.read_text()

    assert [variable for variable in VARIABLES if not re.search(rf"\b{variable}\b", text)] == []


def test_the_example_sets_no_variable_that_the_server_does_not_know() -> None:
    path = ROOT / ".env.example"
    assert path.is_file(), ".env.example does not exist"

    named = re.findall(r"^#? ?([A-Z][A-Z_]+)=", path.read_text(), re.MULTILINE)

    assert set(named) <= set(VARIABLES)
    assert named
