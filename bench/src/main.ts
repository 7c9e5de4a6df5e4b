// `npm run bench`: every scenario against every system, one line per figure, and the same as JSON.
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { formatFigure } from './figure.ts'
import type { Figure } from './figure.ts'
import { measureAlone } from './measure-alone.ts'
import { millrace } from './millrace-system.ts'
import { diskFigures } from './disk-figures.ts'
import { dropPageCache } from './page-cache.ts'
import type { RawDisk } from './raw-disk.ts'
import { scenarios } from './scenarios/index.ts'

const RAW_SECONDS_SHARE = 2

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '4' },
    json: { type: 'string', default: fileURLToPath(new URL('../dist/results.json', import.meta.url)) },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  console.log('npm run bench -- [--only SCENARIO]... [--seconds N (per load)] [--json FILE]\n')
  for (const { name, about } of scenarios) console.log(`${name.padEnd(14)}${about}`)
} else await benchmark(Number(values.seconds), values.only, values.json)

async function benchmark(seconds: number, only: readonly string[] | undefined, jsonFile: string): Promise<void> {
  const unknown = only?.find((name) => !scenarios.some((scenario) => scenario.name === name))
  if (unknown !== undefined || !(seconds > 0)) {
    console.error(
      `millrace: no scenario '${unknown ?? ''}' or no such duration. \`npm run bench -- --help\` lists what there is.`,
    )
    process.exitCode = 2
    return
  }
  console.log(
    `Node ${process.versions.node}, ${availableParallelism()} x ${cpus()[0]?.model ?? 'processor'}; loads of ${seconds} s`,
  )
  if (!dropPageCache())
    console.log('What earlier runs left in the page cache stays there: as root it is dropped before each scenario.')
  const disk = measureAlone('raw-disk.js', seconds * RAW_SECONDS_SHARE) as RawDisk
  for (const figure of diskFigures(disk)) console.log(formatFigure(figure))

  const results: { system: string; scenario: string; figures: Figure[] }[] = []
  for (const scenario of scenarios) {
    if (only !== undefined && !only.includes(scenario.name)) continue
    console.log(`\n${scenario.name}: ${scenario.about}`)
    const figures: Figure[] = []
    dropPageCache()
    for await (const figure of scenario.measure({ system: millrace, disk, seconds })) {
      console.log(formatFigure(figure))
      figures.push(figure)
    }
    results.push({ system: millrace.name, scenario: scenario.name, figures })
  }
  writeFileSync(
    jsonFile,
    `${JSON.stringify({ at: new Date().toISOString(), node: process.versions.node, seconds, disk, results }, null, 2)}\n`,
  )
  const missed = results.flatMap(({ figures }) => figures).filter(({ goal }) => goal?.met === false)
  console.log(`\n${missed.length === 0 ? 'All goals are met.' : `${missed.length} goals are missed.`} Figures are in ${jsonFile}`)
  if (missed.length > 0) process.exitCode = 1
}
