"""The position of the sun, to about 0.01 degrees for some centuries around the year 2000.

The equations are those of Jean Meeus, Astronomical Algorithms, 2nd edition (1998), chapters 25 (the
sun's position, low accuracy), 22 (obliquity) and 28 (equation of time), as NOAA's Solar Calculator
uses them: https://gml.noaa.gov/grad/solcalc/calcdetails.html. Times are epoch seconds.
"""

from math import asin, cos, degrees, radians, sin, tan
from typing import NamedTuple

_J2000 = 946_728_000.0  # 2000-01-01 12:00 UTC
_CENTURY = 36525 * 86400.0


class Sun(NamedTuple):
    """The declination of the sun in radians, and the lead of sundials over clocks in seconds."""

    declination: float
    equation_of_time: float


def sun_at(when: float) -> Sun:
    """Return the position of the sun at `when`."""
    t = (when - _J2000) / _CENTURY
    mean_longitude = radians((280.46646 + t * (36000.76983 + t * 0.0003032)) % 360)
    anomaly = radians((357.52911 + t * (35999.05029 - t * 0.0001537)) % 360)
    eccentricity = 0.016708634 - t * (0.000042037 + t * 0.0000001267)
    centre = (
        sin(anomaly) * (1.914602 - t * (0.004817 + t * 0.000014))
        + sin(2 * anomaly) * (0.019993 - t * 0.000101)
        + sin(3 * anomaly) * 0.000289
    )
    node = radians((125.04 - 1934.136 * t) % 360)
    longitude = mean_longitude + radians(centre - 0.00569 - 0.00478 * sin(node))
    arcseconds = 84381.448 - t * (46.815 + t * (0.00059 - t * 0.001813))
    obliquity = radians(arcseconds / 3600 + 0.00256 * cos(node))

    y = tan(obliquity / 2) ** 2
    ahead = (
        y * sin(2 * mean_longitude)
        - 2 * eccentricity * sin(anomaly)
        + 4 * eccentricity * y * sin(anomaly) * cos(2 * mean_longitude)
        - y * y / 2 * sin(4 * mean_longitude)
        - 1.25 * eccentricity**2 * sin(2 * anomaly)
    )
    # A full circle is a day: 240 seconds a degree.
    return Sun(asin(sin(obliquity) * sin(longitude)), degrees(ahead) * 240)


def altitude(when: float, latitude: float, longitude: float) -> float:
    """Return the sun's degrees above the horizon at a place given in degrees north and east."""
    sun = sun_at(when)
    hour_angle = radians((when + sun.equation_of_time) / 240 + longitude - 180)
    north = radians(latitude)
    height = sin(north) * sin(sun.declination)
    height += cos(north) * cos(sun.declination) * cos(hour_angle)
    return degrees(asin(max(-1.0, min(1.0, height))))


def noon(day: int, longitude: float) -> float:
    """Return when the sun crosses the meridian on `day`, counted from the epoch in solar time."""
    mean = day * 86400.0 + 43200 - longitude * 240
    first = mean - sun_at(mean).equation_of_time
    return mean - sun_at(first).equation_of_time
