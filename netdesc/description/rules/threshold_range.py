from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule

MAX_VOLTAGE = (1 << 23) - 1
"""The value at which the device clips voltages, in units of the neuron's states."""


@rule(
    "ND224",
    "a threshold that no voltage of the device reaches",
    at="/neurons/cuba/threshold",
    wrong="3000",
    right="1000",
    severity="warning",
)
def check(context: Context) -> Found:
    """The device clips voltages at 2^23 - 1, in units of 1/4096 of the threshold's unit. That is
    slightly below 2048, so a neuron with a higher threshold never spikes there. States of
    "sigma_delta" have 64 times finer units, so that their limit is 32.

    Use a threshold below 2048.
    """
    for each in context.neuron_parameters():
        for parts, end in each.ends if each.name == "threshold" else ():
            bits = each.neuron.unit_bits
            if int(64 * end) << bits - 6 >= MAX_VOLTAGE:
                message = f"no voltage of the device reaches the threshold {end:g}"
                hint = f"use less than {MAX_VOLTAGE + 1 >> bits}"
                yield RuleDiagnostic(parts, message, hint=hint)
