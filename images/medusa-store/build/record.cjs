/**
 * node --require build/record.cjs MAIN …: writes RECORD_TO when the process ends, a JSON list of the modules it has
 * loaded from node_modules, relative to the working directory and in the order in which they were begun.
 */
const fs = require("node:fs")
const path = require("node:path")

const root = process.cwd()
process.on("exit", () => {
  const files = Object.keys(require.cache).map((file) => path.relative(root, file))
  fs.writeFileSync(process.env.RECORD_TO, JSON.stringify(files.filter((file) => file.startsWith("node_modules/"))))
})
