"""What router commands are answered where no router is asked: exactly what a test wrote."""

from commands_server_operations.router_connection_manager import CommandResult, RouterTarget


class Scripted:
    """Connections that answer with what a test wrote, {nonce} filled in."""

    def __init__(self, *answers: str | bytes, status: int | None = 0) -> None:
        self.answers = list(answers)
        self.status = status
        self.commands: list[str] = []

    def run(self, target: RouterTarget, command: str) -> CommandResult:
        self.commands.append(command)
        nonce = command.rpartition('echo "')[2].split()[0]
        answer = self.answers.pop(0)
        raw = answer if isinstance(answer, bytes) else answer.replace("{nonce}", nonce).encode()
        return CommandResult(stdout=raw, stderr=b"", exit_status=self.status, duration_s=0)


def anywhere() -> RouterTarget:
    return RouterTarget(session_id="alice", router_id="r1", host="192.168.1.1", port=22, username="root")
