"""What all Python tests share: hypothesis draws the same examples every time, and leaves the source folder alone."""

import pathlib

from hypothesis import HealthCheck, configuration, settings

configuration.set_hypothesis_home_dir(pathlib.Path(__file__).resolve().parents[2] / "build/hypothesis")
settings.register_profile("mmarn", derandomize=True, database=None, deadline=None, print_blob=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("mmarn")
