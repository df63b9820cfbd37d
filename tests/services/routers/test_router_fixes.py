"""The commands for a person to paste, run by a real shell."""

import subprocess
from pathlib import Path

import pytest

from services.routers.router_fixes import set_sysctl


@pytest.mark.parametrize(
    "before", ["", "net.core.rmem_max=1\n", "net.core.rmem_max = 1\nnet.core.rmem_max=2\n"], ids=["none", "one", "two"]
)
def test_a_kernel_setting_is_written_once_however_often_it_is_pasted(tmp_path: Path, before: str) -> None:
    others = "# Defaults.\nnet.core.rmem_maximum=7\nnet-core-rmem_max=8\n"
    file = tmp_path / "sysctl.conf"
    file.write_text(others + before)
    fix = set_sysctl("net.core.rmem_max", 524_288).replace("/etc/sysctl.conf", str(file)).replace("sysctl -p", "true")
    for _ in range(2):
        subprocess.run(["sh", "-c", fix], check=True)
        assert file.read_text() == f"{others}net.core.rmem_max=524288\n"
