"""What of allauth is ours: nobody signs up by himself, the owner adds people."""

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):
    """Closed for sign-up."""

    def is_open_for_signup(self, request) -> bool:
        return False
