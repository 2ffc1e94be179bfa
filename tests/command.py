"""The command line, called in this process."""

from __future__ import annotations

from typer.testing import CliRunner

from clinspan.cli import app


def run(*arguments: object, stdin: str | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of ``clinspan ARGUMENTS``."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr
