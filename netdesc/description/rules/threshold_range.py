from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule

MAX_STATE = (1 << 23) - 1
"""The value at which the device clips states, in units of the neuron's states."""


@rule(
    "ND224",
    "a threshold or level that no state of the device reaches",
    at="/neurons/cuba/threshold",
    wrong="3000",
    right="1000",
    severity="warning",
)
def check(context: Context) -> Found:
    """The device clips states at 2^23 - 1, in units of 1/4096 of the threshold's unit. That is
    slightly below 2048, so a neuron with a higher threshold never spikes there. States of
    "sigma_delta" have 64 times finer units, so that their limit is 32.

    Use a threshold below 2048.
    """
    for each in context.neuron_parameters():
        bits = each.neuron.unit_bits
        # Of the parameters that netdesc brings, states are compared with the threshold alone.
        is_level = each.name == "threshold" or each.neuron.has_own_equations
        for parts, end in each.ends if is_level and each.kind in ("threshold", "grid") else ():
            coarse = 6 if each.kind == "threshold" else 12
            if int(abs(end) * 2**coarse) << bits - coarse >= MAX_STATE:
                message = f"no state of the device reaches {end:g}"
                yield RuleDiagnostic(parts, message, hint=f"stay within ±{MAX_STATE + 1 >> bits}")
