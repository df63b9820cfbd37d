"""Which keys encrypt the stored router passwords: at start, and again while a server runs, so that a change of the key
needs no restart."""

import logging
import signal
from threading import Thread

from services.routers.credentials import CredentialVault, load_or_create_keys, stored_keys
from utils.config import Config, ConfigurationError, load_config

logger = logging.getLogger("netpilot")


def configured_keys(config: Config) -> list[str]:
    """CREDENTIALS_KEYS, or the keys that the local mode keeps in DATA_DIR, newest first. Raises ConfigurationError."""
    if given := _given_keys(config):
        return given
    config.data_dir.mkdir(parents=True, exist_ok=True)
    return load_or_create_keys(config.data_dir)


def reread_keys_on_signal(config: Config, vault: CredentialVault) -> None:
    """From now on SIGUSR1 gives ``vault`` the keys as they are then, in `.env` or in credentials.key.

    Not SIGHUP, which comes when a terminal is closed and has to end what was started there. Keys that can't be used
    change nothing, and the log says why. What the process has from its environment is as it was at its start.
    """

    def reread() -> None:
        try:
            keys = _given_keys(load_config()) or stored_keys(config.data_dir)
        except (ConfigurationError, OSError) as error:
            logger.error("the credentials keys stay as they were: %s", error)
            return
        newest = "another one than" if vault.use(keys) else "the same as"
        logger.info("credentials keys read again: %d, and the first is %s before", len(keys), newest)

    # A handler interrupts whatever the main thread is doing, logging perhaps: so it only begins.
    signal.signal(signal.SIGUSR1, lambda *_: Thread(target=reread, name="credentials-keys").start())


def _given_keys(config: Config) -> list[str]:
    return [key.get_secret_value() for key in config.credentials_keys]
