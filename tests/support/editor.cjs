// What VS Code's own JSON engine says of documents. Standard input holds a list of questions:
// {path, text, complete: offset or null, hover: offset or null}; standard output the answers.
// The engine finds the schema as an editor does, by the document's "$schema".
"use strict";

const fs = require("fs");
const { createRequire } = require("module");
const { fileURLToPath, pathToFileURL } = require("url");

const load = createRequire(process.argv[2] + "/any.js");
const { getLanguageService, TextDocument } = load("vscode-json-languageservice");

const service = getLanguageService({
  schemaRequestService: async (uri) => fs.readFileSync(fileURLToPath(uri), "utf8"),
  workspaceContext: {
    resolveRelativePath: (path, base) => new URL(path, base).toString(),
  },
});
service.configure({ validate: true });

async function answer({ path, text, complete, hover }) {
  const document = TextDocument.create(pathToFileURL(path).toString(), "json", 1, text);
  const tree = service.parseJSONDocument(document);
  const problems = await service.doValidation(document, tree);
  const given = {
    problems: problems.map(({ message, range }) => ({ message, text: document.getText(range) })),
  };
  if (complete !== null) {
    const list = await service.doComplete(document, document.positionAt(complete), tree);
    given.offered = list.items.map(({ label, insertText, documentation }) => ({
      label,
      insertText,
      documentation,
    }));
  }
  if (hover !== null) {
    const said = await service.doHover(document, document.positionAt(hover), tree);
    given.said = said === null ? null : said.contents.join("\n");
  }
  return given;
}

async function main() {
  const questions = JSON.parse(fs.readFileSync(0, "utf8"));
  const answers = [];
  for (const question of questions) answers.push(await answer(question));
  process.stdout.write(JSON.stringify(answers));
}

main();
