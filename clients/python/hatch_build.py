"""Generates the protocol's Python code when a wheel (or an editable install) is built; none of it is committed."""

from __future__ import annotations

import re
import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Spoken to providers, not to the server.
PROVIDERS = ("sprout/provider/v1/driver.proto", "sprout/sim/v1/sim.proto")
HEADER = '"""Generated from the protos when the package was built."""\n'


class ProtoHook(BuildHookInterface[Any]):
    """Runs protoc over the repository's protos, or over those in the sdist."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before anything is packed."""
        del version, build_data
        if self.target_name != "sdist":
            generate(Path(self.root))


def generate(root: Path) -> None:
    """Writes src/sprout_client/proto anew, and puts it in place as a whole."""
    protos = next((p for p in (root / "protos", root.parent.parent / "proto") if (p / "sprout").is_dir()), None)
    if protos is None:
        raise FileNotFoundError("the protos are neither in protos/ (sdist) nor in ../../proto (repository)")
    files = sorted(p.relative_to(protos).as_posix() for p in (protos / "sprout").rglob("*.proto"))
    files = [name for name in files if name not in PROVIDERS]
    target = root / "src" / "sprout_client" / "proto"
    fresh = target.with_name("proto.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    compile_protos(protos, files, fresh)
    for path in [*fresh.rglob("*.py"), *fresh.rglob("*.pyi")]:
        # protoc knows no packages but those of the protos; here they are below one of ours.
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"^from sprout\.", "from sprout_client.proto.sprout.", text, flags=re.M), encoding="utf-8")
    for directory in [fresh, *(p for p in fresh.rglob("*") if p.is_dir())]:
        (directory / "__init__.py").write_text(HEADER, encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)


def compile_protos(protos: Path, files: list[str], out: Path) -> None:
    """Runs protoc."""
    well_known = str(resources.files("grpc_tools") / "_proto")
    arguments = ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}", *files]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc failed; what it says is above")


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent)
