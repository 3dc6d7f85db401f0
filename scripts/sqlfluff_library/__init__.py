"""What sqlfluff's own Jinja needs to render the dbt macros: stand-ins for dbt's adapter, `return` and `fromjson`.

The lint reads shape, not meaning, so a dispatched macro renders as a function call of its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final


class _Adapter:
    def dispatch(self, name: str, *_: object) -> Callable[..., str]:
        def render(*arguments: object) -> str:
            return f"{name}({', '.join(map(str, arguments[:1]))})"

        return render


adapter: Final = _Adapter()
globals()["return"] = lambda value: value
fromjson: Final = json.loads
