"""Parameters learned from data: frozen dataclasses of numbers and tuples of numbers, kept as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar, Self

from geo.errors import BadInput


class Parameters:
    """Base of a frozen dataclass whose fields are floats or tuples of floats; `_what` begins its errors."""

    _what: ClassVar[str]

    def to_dict(self) -> dict[str, object]:
        """The parameters as plain JSON values."""
        this: Any = self
        return asdict(this)

    @classmethod
    def from_dict(cls, raw: Mapping[str, object]) -> Self:
        """The inverse of `to_dict`; raises BadInput naming what is missing or no number."""
        kind: Any = cls
        values: dict[str, object] = {}
        for field in fields(kind):
            value = raw.get(field.name)
            try:
                if isinstance(value, (list, tuple)):
                    values[field.name] = tuple(float(one) for one in value)
                else:
                    values[field.name] = float(value)  # type: ignore[arg-type]  # the except answers for it
            except (TypeError, ValueError) as error:
                raise BadInput(f"{cls._what}: {field.name} is {value!r}") from error
        return cls(**values)
