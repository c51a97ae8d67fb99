"""An instruction for kernels whose rows lie far apart: fetch what is needed soon into the cache.

A loop that first names the rows of some events, and then works on them, waits for many rows at once instead
of for one after the other. What it does to results: nothing.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # has no types
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_insert: Any = cgutils.get_or_insert_function
_TO_WRITE, _TO_KEEP, _DATA = 1, 3, 1  # llvm.prefetch: rw, locality, cache type


def _prefetch(typing_context, array, index):  # type: ignore[no-untyped-def]
    """prefetch(array, index): the cache line of array[index], index not negative."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = _insert(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, number(_TO_WRITE), number(_TO_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


prefetch: Any = intrinsic(_prefetch)
