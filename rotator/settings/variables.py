"""Variables of the environment that say what a file might. Loaded where there are some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic_settings import EnvSettingsSource

from rotator.settings.schema import Root

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

    from rotator.settings.documents import Where


class Variables(EnvSettingsSource):
    """pydantic's own reading of variables, from a mapping that is passed in."""

    def __init__(self, environ: Mapping[str, str], prefix: str) -> None:
        self._prefix = prefix
        self._given = {name.lower(): text for name, text in environ.items()}
        # Root is no BaseSettings: one reads os.environ whenever it is validated, and obeys keys in
        # a file such as `_env_file`. This class asks it for its fields only.
        settings = cast("type[BaseSettings]", Root)
        super().__init__(
            settings, case_sensitive=False, env_prefix=prefix, env_nested_delimiter="__"
        )

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._given

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Read JSON; what is none stays text, of which validation says what it should be."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value

    def place(self, where: Where) -> str:
        """The variable that said what is at ``where``, or something in it."""
        names = [
            (self._prefix + "__".join(map(str, where[: end + 1]))).lower()
            for end in range(len(where))
        ]
        told = [name for name in reversed(names) if name in self._given]
        within = (name for name in self._given if name.startswith(f"{names[-1]}__"))
        name = told[0] if told else next(within)
        return f"environment variable {name.upper()}"
