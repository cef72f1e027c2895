"""``netdesc explain``."""

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netdesc.cli import options
from netdesc.cli.output import Output, SafeText

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from netdesc.description.neuron_text import NeuronSection


def _complete_subject(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    from click.shell_completion import CompletionItem

    from netdesc.description.codes import ENTRIES
    from netdesc.description.model_structure import doc_line
    from netdesc.description.neuron_text import NEURONS
    from netdesc.description.word_text import kinds, sections

    titles = {code: entry.title for code, entry in ENTRIES.items()}
    titles |= dict.fromkeys(NEURONS, "a neuron")
    words = sections() | kinds()
    titles |= {word: doc_line(models[0]) for word, models in words.items() if word not in titles}
    names = [name for name in titles if name.lower().startswith(incomplete.lower())]
    return [CompletionItem(name, help=titles[name]) for name in names]


@click.command(
    epilog="\b\nExamples:\n  netdesc explain ND101\n  netdesc explain cuba\n"
    "  netdesc explain conv\n  netdesc explain training\n"
    "  netdesc explain examples/own_neuron.json mine\n  netdesc explain"
)
@click.argument("subject", required=False, shell_complete=_complete_subject)
@click.argument("name", required=False)
@options.json_and_quiet
def explain(output: Output, subject: str | None, name: str | None) -> None:
    """Print cause, example and fix of a diagnostic's code, a neuron's equations, or what a word of
    a document means.

    SUBJECT is a code, a type of neuron, layer, loss or another object, a section, a field, a name
    of another tool such as beta, or a document of which NAME is a neuron or a layer. Without
    SUBJECT, list all codes.
    """
    from netdesc.description.codes import ENTRIES, explain, record
    from netdesc.description.neuron_text import NEURONS, example_neuron, neuron_record, neuron_text
    from netdesc.description.synonyms import explain_foreign, hint_for_type
    from netdesc.description.word_text import kinds, word_record, word_text, words

    if subject is None:
        if output.as_json:
            rows = [{"code": entry.code, "title": entry.title} for entry in ENTRIES.values()]
            output.print_json({"codes": rows})
        else:
            output.print(*(f"{entry.code}  {entry.title}" for entry in ENTRIES.values()))
        return
    is_example = subject in NEURONS and name is None
    word = re.sub(r"\[\d*\]", "", subject).split(".")[-1]  # of a path; its names may be the user's
    if is_example or name is not None or subject.endswith(".json"):
        neuron = example_neuron(subject) if is_example else _neuron_of(subject, name)
        text, entry = neuron_text(neuron, is_example=is_example), neuron_record(neuron)
        if is_example and subject in kinds():  # as an encoding, too
            text += f"\n\n{word_text(subject)}"
            entry |= {"objects": word_record(subject)["objects"]}
    elif word in words():
        text, entry = word_text(word), word_record(word)
    elif explain_foreign(word):
        text, entry = "", {"type": word}
    else:
        try:
            text, entry = explain(subject), record(subject)
        except ValueError as error:
            hint = hint_for_type(word, [*ENTRIES, *words(), *NEURONS])
            raise click.UsageError(
                f'"{subject}" is neither a code, nor a word of documents, nor a document; '
                f"{hint or 'netdesc explain lists the codes'}"
            ) from error
    if foreign := explain_foreign(word):
        entry |= {"other_tools": foreign}
        lines = [textwrap.fill(f"  {line}", 80, subsequent_indent="    ") for line in foreign]
        title = f"{word} in other tools; in a document of netdesc:"
        text = "\n".join([*([text, ""] if text else []), title, *lines])
    if output.as_json:
        output.print_json(entry)
    else:
        output.print(SafeText(text))


def _neuron_of(file: str, name: str | None) -> "NeuronSection":
    """Returns the neuron of a document that has a name, or that the layer of that name has."""
    from netdesc.description import load
    from netdesc.description.neuron_text import NEURONS

    if file in NEURONS and not Path(file).exists():
        raise click.UsageError(f"{file} is no document; netdesc explain {file} lists its fields")
    document = load(file).document
    neurons = dict(document.neurons)
    for layer in document.layers:
        neuron = layer.neuron
        neuron = neurons[neuron] if isinstance(neuron, str) else neuron
        if neuron is not None:
            neurons.setdefault(layer.name, neuron)
    if name is None or name not in neurons:
        missing = "needs the name of a neuron" if name is None else f'has no neuron "{name}"'
        raise click.UsageError(f"{file} {missing}; it has {', '.join(neurons)}")
    return neurons[name]
