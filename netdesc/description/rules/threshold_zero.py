from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND211",
    "a threshold that becomes zero on the device",
    at="/neurons/cuba/threshold",
    wrong="0.01",
    right="0.1",
)
def check(context: Context) -> Found:
    """The device stores trunc(64·threshold), and netdesc trains with that value. A threshold below
    1/64 becomes 0, so every positive voltage would cause a spike.

    Use a threshold of at least 1/64 = 0.015625.
    """
    for each in context.neuron_parameters():
        # Without spikes, a threshold of 0 hands on every difference; own equations may mean it.
        for parts, end in each.ends if each.is_spike_threshold else ():
            if int(64 * end) == 0:
                message = f"the threshold {end:g} becomes trunc(64·threshold) = 0 on the device"
                yield RuleDiagnostic(parts, message, hint="use at least 0.015625")
