"""Changes by the control API that concern the ports: the API's, and those of the listeners."""

from __future__ import annotations

from mock_slb.control.changes_account import NO_RESULT, Result
from mock_slb.core.fields import Fields, InputError
from mock_slb.gateway.gateway import Gateway, Line


def close_port(gateway: Gateway, fields: Fields) -> Result:
    """{seconds}: refuse connections for so long, those to this API as well."""
    seconds = fields.number("seconds")
    fields.done()
    line = _line(gateway)
    try:
        line.close_for(seconds)
    except ValueError as error:
        raise InputError(str(error)) from None
    return NO_RESULT


def set_names(gateway: Gateway, fields: Fields) -> Result:
    """{names}: show a certificate for these host names; of a server that speaks TLS only."""
    names = fields.names("names")
    fields.done()
    if not names:
        raise InputError(f"{fields.place('names')} must be given")
    try:
        _line(gateway).go_by(names)
    except ValueError as error:
        raise InputError(str(error)) from None
    return NO_RESULT


def change_data_plane(gateway: Gateway, fields: Fields) -> Result:
    """{lag_seconds?, unchecked?, without_draining?, round_robin_zero?}: see data_plane.settings."""
    plane = gateway.data_plane
    if plane is None:
        raise InputError("there is no data plane: --data-plane, or data_plane in the seed")
    settings = plane.settings.changed(fields)
    fields.done()
    plane.settings = settings
    return NO_RESULT


def _line(gateway: Gateway) -> Line:
    if gateway.line is None:
        raise InputError("there is no server to do this to")
    return gateway.line
