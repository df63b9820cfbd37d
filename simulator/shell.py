"""A tiny subset of busybox ash: what a program sends over SSH, not what a person writes.

Lists (`;`, newline, `&&`, `||`), quotes, variables (`s=$?`, `$s`, `${s}`), `$?`, `$(command)` and redirections to
/dev/null or between the two outputs. Everything else that ash would understand (pipes, loops, globs, background jobs)
is refused aloud with status 2, so that nothing passes here by being misunderstood.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REDIRECTION = re.compile(r"([012]?)(>>|>|<)(?:&([012])|\s*(/dev/null))")
_BUILTINS = ("echo", "printf", "true", "false", ":", "exit", "command", "export")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "0": "\0"}


@dataclass(frozen=True, slots=True)
class Output:
    """What a command left behind. Undecodable bytes travel as surrogate escapes."""

    stdout: str = ""
    stderr: str = ""
    status: int = 0


class SyntaxNotKnown(Exception):
    """Something this shell does not do."""


class _Exit(Exception):
    """`exit N`."""


@dataclass(frozen=True, slots=True)
class _Command:
    words: list[str]
    redirections: list[tuple[int, int | None]]
    joint: str  # what stands before it: ";", "&&" or "||"


Program = Callable[[list[str]], Output | None]


class Shell:
    """Runs one line. `program(words)` answers for a command, or None for one that does not exist."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._variables: dict[str, str] = {}
        self._status = 0
        self._substituted = False
        self._out: list[str] = []
        self._err: list[str] = []

    def run(self, line: str) -> Output:
        try:
            self._run_list(line)
        except SyntaxNotKnown as error:
            self._err.append(f"ash: syntax error: {error}\n")
            self._status = 2
        except _Exit:
            pass
        return Output("".join(self._out), "".join(self._err), self._status)

    def _run_list(self, line: str) -> None:
        at, joint = 0, ";"
        while at < len(line):
            # Each command is expanded only when its turn comes: `$?` is the status of the one before.
            skip = (joint == "&&" and self._status != 0) or (joint == "||" and self._status == 0)
            self._substituted = False
            words, redirections, next_joint, at = self._next_command(line, at, expand=not skip)
            if not skip and (words or redirections):
                self._run_command(words, redirections)
            joint = next_joint

    def _run_command(self, words: list[str], redirections: list[tuple[int, int | None]]) -> None:
        while words and "=" in words[0] and _NAME.fullmatch(words[0].split("=", 1)[0]):
            name, value = words.pop(0).split("=", 1)
            self._variables[name] = value
            if not words:  # an assignment's status is that of its command substitution, else 0
                self._status = self._status if self._substituted else 0
                return
        answer = self._answer(words) if words else Output()
        targets: list[list[str] | None] = [None, self._out, self._err]
        for source, target in redirections:
            targets[source] = None if target is None else targets[target]
        for text, sink in ((answer.stdout, targets[1]), (answer.stderr, targets[2])):
            if sink is not None:
                sink.append(text)
        self._status = answer.status
        if words and words[0] == "exit":
            raise _Exit

    def _answer(self, words: list[str]) -> Output:
        name, arguments = words[0], words[1:]
        match name:
            case "echo":
                return _echo(arguments)
            case "printf":
                return _printf(arguments)
            case "true" | ":" | "export":
                return Output()
            case "false":
                return Output(status=1)
            case "exit":
                return Output(status=_integer(arguments[0]) & 255 if arguments else self._status)
            case "command":
                return self._command(arguments)
        return self._program(words) or Output(stderr=f"ash: {name}: not found\n", status=127)

    def _command(self, arguments: list[str]) -> Output:
        if arguments[:1] != ["-v"]:
            return self._answer(arguments) if arguments else Output()
        if len(arguments) < 2:
            return Output()
        name = arguments[1]
        if name in _BUILTINS:
            return Output(f"{name}\n")
        return self._program(["which", name]) or Output(status=127)

    # -- reading ------------------------------------------------------------------------------------------

    def _next_command(
        self, line: str, at: int, *, expand: bool
    ) -> tuple[list[str], list[tuple[int, int | None]], str, int]:
        """One simple command from `at` on: words, redirections, what joins the next one, and where that begins."""
        words: list[str] = []
        redirections: list[tuple[int, int | None]] = []
        word: str | None = None
        while at < len(line):
            char = line[at]
            if word is None and (found := _REDIRECTION.match(line, at)):
                redirections.append(_redirection(found))
                at = found.end()
                continue
            if char in " \t;\n" or line[at : at + 2] in ("&&", "||"):
                if word is not None:
                    words.append(word)
                    word = None
                at += 1
                if char in ";\n":
                    return words, redirections, ";", at
                if char in "&|":
                    return words, redirections, char * 2, at + 1
                continue
            if char in "|&()<>`*" or (char in "{}" and word is None):
                if char == ">" and word is not None and (found := _REDIRECTION.match(line, at)):
                    words.append(word)
                    word = None
                    continue
                raise SyntaxNotKnown(f'unexpected "{char}"')
            text, at = self._piece(line, at, expand=expand)
            if text is not None:
                word = (word or "") + text
        if word is not None:
            words.append(word)
        return words, redirections, ";", at

    def _piece(self, line: str, at: int, *, expand: bool) -> tuple[str | None, int]:
        char = line[at]
        if char == "'":
            end = line.find("'", at + 1)
            if end < 0:
                raise SyntaxNotKnown("unterminated quoted string")
            return line[at + 1 : end], end + 1
        if char == '"':
            return self._double_quoted(line, at + 1, expand=expand)
        if char == "\\":
            return line[at + 1 : at + 2], at + 2
        if char == "$":
            text, at = self._dollar(line, at, expand=expand)
            return text or None, at
        return char, at + 1

    def _double_quoted(self, line: str, at: int, *, expand: bool) -> tuple[str, int]:
        text = ""
        while at < len(line) and line[at] != '"':
            if line[at] == "\\" and line[at + 1 : at + 2] in ("\\", '"', "$", "`"):
                text += line[at + 1]
                at += 2
            elif line[at] == "$":
                value, at = self._dollar(line, at, expand=expand)
                text += value
            elif line[at] == "`":
                raise SyntaxNotKnown('unexpected "`"')
            else:
                text += line[at]
                at += 1
        if at >= len(line):
            raise SyntaxNotKnown("unterminated quoted string")
        return text, at + 1

    def _dollar(self, line: str, at: int, *, expand: bool) -> tuple[str, int]:
        rest = line[at + 1 :]
        if rest.startswith("?"):
            return str(self._status), at + 2
        if rest.startswith("("):
            end = _closing(line, at + 1)
            return (self._substitute(line[at + 2 : end]) if expand else ""), end + 1
        if rest.startswith("{") and (found := _NAME.match(rest, 1)) and rest[found.end() : found.end() + 1] == "}":
            return self._variables.get(found.group(), ""), at + 2 + found.end()
        if found := _NAME.match(rest):
            return self._variables.get(found.group(), ""), at + 1 + found.end()
        if rest[:1] in ("{", "$", "#", "@", "*", "!", "-") or rest[:1].isdigit():
            raise SyntaxNotKnown(f'unexpected "${rest[:1]}"')
        return "$", at + 1

    def _substitute(self, line: str) -> str:
        inner = Shell(self._program)
        inner._variables = dict(self._variables)
        inner._status = self._status
        answer = inner.run(line)
        self._err.append(answer.stderr)
        self._status, self._substituted = answer.status, True
        return answer.stdout.rstrip("\n")


def _redirection(found: re.Match[str]) -> tuple[int, int | None]:
    number, arrow, descriptor, _null = found.groups()
    source = int(number) if number else (0 if arrow == "<" else 1)
    return source, int(descriptor) if descriptor else None


def _closing(line: str, at: int) -> int:
    """Where the bracket that opens at `at` is closed."""
    depth = 0
    for index in range(at, len(line)):
        depth += {"(": 1, ")": -1}.get(line[index], 0)
        if not depth:
            return index
    raise SyntaxNotKnown('")" expected')


def _echo(arguments: list[str]) -> Output:
    if arguments[:1] == ["-n"]:
        return Output(" ".join(arguments[1:]))
    return Output(" ".join(arguments) + "\n")


def _printf(arguments: list[str]) -> Output:
    if not arguments:
        return Output(stderr="printf: usage: printf FORMAT [ARG]...\n", status=2)
    form = re.sub(r"\\([ntr\\0])", lambda found: _ESCAPES[found.group(1)], arguments[0])
    values = arguments[1:]
    holes = len(re.findall(r"%[sd]", form))
    text = ""
    while True:
        mine, values = values[:holes], values[holes:]
        text += _filled(form, mine + [""] * (holes - len(mine)))
        if not values or not holes:
            return Output(text)


def _filled(form: str, values: list[str]) -> str:
    queue = iter(values)

    def one(found: re.Match[str]) -> str:
        kind = found.group(1)
        if kind == "%":
            return "%"
        return next(queue) if kind == "s" else str(_integer(next(queue)))

    return re.sub(r"%([sd%])", one, form)


def _integer(text: str) -> int:
    return int(text) if re.fullmatch(r"-?\d+", text) else 0
