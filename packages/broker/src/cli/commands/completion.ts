import { Argument } from 'commander'
import type { Command } from 'commander'

const shells = ['bash', 'zsh', 'fish'] as const

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('Print a completion script: `source <(millrace completion bash)`')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: (typeof shells)[number]) => {
      const words = completionWords(program)
      process.stdout.write(shell === 'fish' ? fishScript(words) : bashScript(words, shell === 'zsh'))
    })
}

/** What may follow each command path: `''` -> start, pub, ...; `queue` -> ls, create, ...; with the options of each. */
function completionWords(program: Command): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, readonly string[]>()
  const globals = optionNames(program)
  const visit = (command: Command, path: readonly string[]): void => {
    const names = command.commands.map((child) => child.name())
    words.set(path.join(' '), [...names, ...optionNames(command), ...(command === program ? [] : globals)])
    for (const child of command.commands) visit(child, [...path, child.name()])
  }
  visit(program, [])
  return words
}

function optionNames(command: Command): readonly string[] {
  return command.options.flatMap((option) => option.long ?? [])
}

function bashScript(words: ReadonlyMap<string, readonly string[]>, zsh: boolean): string {
  const cases = [...words].map(([path, names]) => `    '${path}') words='${names.join(' ')}' ;;`)
  return `${zsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_millrace() {
  local path='' word words
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
${[...words.keys()]
  .filter(Boolean)
  .map((path) => `      '${path.includes(' ') ? path : ` ${path}`}') path='${path}' ;;`)
  .join('\n')}
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _millrace millrace
`
}

function fishScript(words: ReadonlyMap<string, readonly string[]>): string {
  return [...words]
    .map(([path, names]) => {
      const parts = path.split(' ').filter(Boolean)
      const children = names.filter((name) => !name.startsWith('--'))
      const seen = parts.map((part) => `__fish_seen_subcommand_from ${part}`)
      const condition = [...seen, ...(children.length > 0 ? [`not __fish_seen_subcommand_from ${children.join(' ')}`] : [])].join(
        '; and ',
      )
      return `complete -c millrace -f -n '${condition}' -a '${names.join(' ')}'\n`
    })
    .join('')
}
