"""The decorators that compile kernels, with types that survive them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba
import numba.extending
import numpy.typing as npt

from pipelines.sources.edi.bulk import cache

Array = npt.NDArray[Any]
_config: Any = numba.config
_types: Any = numba.types
_njit: Any = numba.njit
_intrinsic: Any = numba.extending.intrinsic
_OPTIONS: Final = {"error_model": "numpy", "_nrt": False}
"""Kernels allocate nothing, so nothing need be counted: counting references of ten arrays cost more than reading."""

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def kernel(function: _Kernel) -> _Kernel:
    """Compile a function of numbers and arrays that only other kernels call.

    Numba would compile it anew for each constant that it is called with, which more than doubles the time it takes.
    """
    dispatcher = _njit(**_OPTIONS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    template_of = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: template_of(tuple(map(_widened, args)), kws)
    return cast("_Kernel", dispatcher)


def _widened(kind: Any) -> Any:  # noqa: ANN401 - numba's types have none themselves
    kind = _types.unliteral(kind)
    if isinstance(kind, _types.Integer):
        return _types.int64
    if isinstance(kind, _types.BaseAnonymousTuple):
        return _types.Tuple(tuple(map(_widened, kind)))
    return kind


def entry(function: _Kernel) -> _Kernel:
    """Compile a kernel that Python calls; its machine code is kept for the next process where that is possible."""
    folder, given = cache.folder(), _config.CACHE_DIR
    _config.CACHE_DIR = str(folder or "")
    try:
        return cast("_Kernel", _njit(**_OPTIONS, cache=folder is not None, nogil=True)(function))
    finally:
        _config.CACHE_DIR = given


def _load(_context: Any, data: Any, at: Any) -> Any:  # noqa: ANN401 - numba's types have none themselves
    """Return eight bytes of an array of bytes as one number; there must be as many."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        word = builder.load(_address(context, builder, signature, arguments))
        word.align = 1
        return word

    return _types.int64(data, at), generate


def _store(_context: Any, data: Any, at: Any, word: Any) -> Any:  # noqa: ANN401 - numba's types have none themselves
    """Write eight bytes to an array of bytes; there must be room for them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        builder.store(arguments[2], _address(context, builder, signature, arguments)).align = 1
        return context.get_dummy_value()

    return _types.void(data, at, word), generate


def _trailing_zeros(_context: Any, word: Any) -> Any:  # noqa: ANN401 - numba's types have none themselves
    """Return how many of the lowest bits are zero."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return builder.cttz(arguments[0], context.get_constant(_types.boolean, False))  # noqa: FBT003

    return _types.int64(word), generate


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), context.get_value_type(_types.int64).as_pointer())


load: Final[Callable[[Array, int], int]] = _intrinsic(_load)
store: Final[Callable[[Array, int, int], None]] = _intrinsic(_store)
trailing_zeros: Final[Callable[[int], int]] = _intrinsic(_trailing_zeros)
