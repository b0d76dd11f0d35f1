/**
 * node build/collect.mjs DEST: copies to DEST the compiled application (.medusa/server) and those packages of
 * node_modules that a running server can reach from its production dependencies.
 *
 * `npm install --omit=dev` would not do: Medusa counts the tools that build its admin pages (Vite, React, the dashboard's
 * sources) among its production dependencies, 600 MB that a server with built pages never opens. So the graph is walked
 * from the application down and not entered at the packages named below.
 */
import fs from "node:fs"
import path from "node:path"

const root = process.cwd()
const dest = path.resolve(process.argv[2])

/** Only building the admin pages needs these. */
const BUILD_ONLY = new Set([
  ...["@medusajs/admin-vite-plugin", "@medusajs/dashboard", "@medusajs/icons", "@medusajs/js-sdk", "@medusajs/ui"],
  ...["@medusajs/test-utils", "@vitejs/plugin-react", "autoprefixer", "postcss", "tailwindcss", "typescript", "vite"],
  ...["react", "react-dom", "react-router-dom"],
])
/** All that a server wants of these is that they are there: their code is admin pages, or fonts of a banner. */
const WITHOUT_DEPENDENCIES = new Set(["@medusajs/draft-order", "@jercle/yargonaut"])
/** For people and compilers, not for Node. */
const LEFT_OUT = /\.(map|d\.[cm]?ts|tsbuildinfo|flow|md|markdown)$/i

const read = (folder) => JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"))

/** Node's own rule: the nearest node_modules upwards that has it. */
function find(name, from) {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, "node_modules", name)
    if (fs.existsSync(path.join(candidate, "package.json"))) return candidate
    if (folder === root) return undefined
  }
}

function reachable() {
  const found = new Map()
  const missing = []
  const waiting = [[root, read(root)]]
  while (waiting.length) {
    const [folder, manifest] = waiting.pop()
    if (WITHOUT_DEPENDENCIES.has(manifest.name)) continue
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifest
    const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional)
    for (const name of new Set([...Object.keys(dependencies), ...Object.keys(optionalDependencies), ...peers])) {
      if (BUILD_ONLY.has(name)) continue
      const target = find(name, folder)
      if (target && !found.has(target)) {
        found.set(target, read(target))
        waiting.push([target, found.get(target)])
      }
      if (!target && name in dependencies && !(name in optionalDependencies)) missing.push(`${name} (for ${manifest.name})`)
    }
  }
  if (missing.length) throw new Error(`not installed: ${missing.join(", ")}`)
  return found
}

function copy(from, to) {
  fs.cpSync(from, to, {
    recursive: true,
    filter: (file) => file === from || !(path.basename(file) === "node_modules" || LEFT_OUT.test(file)),
  })
}

const packages = reachable()
copy(path.join(root, ".medusa/server"), dest)
for (const [folder, { name }] of packages) {
  const to = path.join(dest, path.relative(root, folder))
  copy(folder, to)
  // `medusa db:migrate` creates this folder in each module that has none, which a read-only file system refuses.
  if (name.startsWith("@medusajs/") && fs.existsSync(path.join(to, "dist"))) {
    fs.mkdirSync(path.join(to, "dist/migrations"), { recursive: true })
  }
}
fs.mkdirSync(path.join(dest, "static"), { recursive: true }) // uploads: a volume is mounted here
console.log(`${packages.size} packages collected in ${dest}`)
