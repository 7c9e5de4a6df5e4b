import { DEFAULT_HOST, doors } from './doors.ts'
import { configKeys, configPaths, environmentName, flagName } from './keys.ts'
import { defaultText, valueNameOf } from './flags.ts'

/** The table of all keys in docs/configuration.md. */
export function configReference(): string {
  const rows = configPaths.map((path) => {
    const { type, description } = configKeys[path]
    const flag = `\`--${flagName(path)} ${valueNameOf(type).replaceAll('|', '\\|')}\``
    const standard = path === 'listen' ? defaultListen() : code(defaultText(path))
    return `| \`${path}\` | ${flag}<br>\`${environmentName(path)}\` | ${standard} | ${description.replaceAll('|', '\\|')} |`
  })
  return ['| Key | Flag and variable | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function defaultListen(): string {
  return Object.entries(doors)
    .map(([door, { port }]) => `\`${door}=${DEFAULT_HOST}:${port}\``)
    .join(', ')
}

function code(text: string | undefined): string {
  return text === undefined ? 'none' : `\`${text}\``
}
