"""torchvision, imported without torch's compiler. Import it from here, or after this.

torchvision imports the compiler, which takes longer than all of torch, to ask once whether it is supported: where it
reads regions of feature maps on a GPU and deterministically. While torchvision is imported a stand-in takes the
compiler's place, which imports it when it is asked for anything.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

import torch  # noqa: F401 - before the stand-in, which it could come across

_COMPILER = "torch._dynamo.utils"


def _import_torchvision() -> None:
    if _COMPILER in sys.modules or "torchvision" in sys.modules:
        return
    stand_in = ModuleType(_COMPILER)

    def ask(name: str) -> Any:
        if name.startswith("__"):  # Python's own questions to any module, such as its __file__
            raise AttributeError(name)
        if sys.modules.get(_COMPILER) is stand_in:
            del sys.modules[_COMPILER]
        return getattr(importlib.import_module(_COMPILER), name)

    vars(stand_in)["is_compile_supported"] = lambda device_type: ask("is_compile_supported")(device_type)
    vars(stand_in)["__getattr__"] = ask
    sys.modules[_COMPILER] = stand_in
    try:
        importlib.import_module("torchvision")
    finally:
        if sys.modules.get(_COMPILER) is stand_in:
            del sys.modules[_COMPILER]


_import_torchvision()

import torchvision  # noqa: E402
from torchvision.models.feature_extraction import create_feature_extractor  # noqa: E402

__all__ = ["create_feature_extractor", "torchvision"]
