import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { read, repository } from './source-files.ts'

/** Relative links of a Markdown file whose file or heading does not exist. */
export function deadLinks(file: string): readonly string[] {
  const text = withoutCode(read(file))
  const targets = [...text.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].map(([, target]) => target!)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target) && !leadsSomewhere(file, target))
    .map((target) => `${file} links to ${target}`)
}

function leadsSomewhere(file: string, target: string): boolean {
  const [path, heading] = target.split('#') as [string, string?]
  const destination = path === '' ? file : posix.join(posix.dirname(file), decodeURI(path))
  if (!existsSync(join(repository, destination))) return false
  return heading === undefined || !destination.endsWith('.md') || headings(read(destination)).includes(heading)
}

/** Anchors as GitHub makes them. */
function headings(text: string): readonly string[] {
  return [...withoutCode(text, /^```[\s\S]*?^```/gm).matchAll(/^#+\s+(.*)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  )
}

function withoutCode(text: string, code: RegExp = /^```[\s\S]*?^```|`[^`\n]*`/gm): string {
  return text.replace(code, '')
}
