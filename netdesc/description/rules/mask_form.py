from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND252",
    "a mask without its weights",
    at="/layers/0/mask",
    wrong='{"seed": 3}',
    right='{"density": 0.3}',
)
def check(context: Context) -> Found:
    """A mask is read from a file, or drawn with a density. A recurrent layer has two matrices of
    weights, so that its mask is drawn.

    Write one of path and density.
    """
    for index, layer in context.neuron_layers():
        mask, parts = layer.mask, ("layers", index, "mask")
        if mask is None:
            continue
        if (mask.path is None) == (mask.density is None):
            both = "neither a file nor a density" if mask.path is None else "a file and a density"
            hint = 'write "path" or "density"'
            yield RuleDiagnostic(parts, f"the mask has {both}", hint=hint)
        elif mask.path is not None and layer.recurrent_synapses is not None:
            message = "the mask of a recurrent layer cannot be a file"
            yield RuleDiagnostic((*parts, "path"), message, hint='write "density"')
