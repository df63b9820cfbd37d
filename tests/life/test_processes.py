"""The same promise for real processes: a killed collector, a PostgreSQL that is stopped at once."""

import pytest

from tests.life.processes import kill_again_and_again, restart_again_and_again


@pytest.mark.timeout(240)
def test_a_collector_killed_at_random_moments_loses_and_doubles_nothing() -> None:
    outcome = kill_again_and_again(4, seed=1, say=print)

    assert outcome.is_exact, outcome
    assert outcome.hits


@pytest.mark.timeout(240)
def test_a_postgres_restarted_under_collection_loses_and_doubles_nothing() -> None:
    outcome = restart_again_and_again(3, seed=1, say=print)

    assert outcome.is_exact, outcome
    assert outcome.hits
