"""Which accounts are let in: by AUTH_MODE and ALLOWED_EMAILS. Asked at every sign-in and whenever a cookie or a token
is looked up, so that whoever is taken off the list is out at once.
"""

from dataclasses import dataclass

#: The durable id of the one account of AUTH_MODE=local.
LOCAL_SESSION_ID = "local"


@dataclass(frozen=True, kw_only=True)
class Admission:
    """The rule of one server."""

    #: Nobody signs in: there is the account of this machine and no other. Elsewhere it is the one that nobody has.
    is_local: bool
    #: Addresses (``a@b.org``) and whole domains (``@b.org``) in lower case; none: everybody.
    allowed_emails: frozenset[str] = frozenset()

    def lets_in(self, session_id: str, email: str | None) -> bool:
        """Whether that account, with the e-mail address that its provider vouched for last, may act here."""
        if self.is_local or session_id == LOCAL_SESSION_ID:
            return self.is_local and session_id == LOCAL_SESSION_ID
        return email is not None and self.may_sign_in(email)

    def may_sign_in(self, email: str) -> bool:
        """``email``: in lower case."""
        return not self.allowed_emails or bool({email, "@" + email.rpartition("@")[2]} & self.allowed_emails)
