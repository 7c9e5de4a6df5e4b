import { parseSync } from 'vite'

export interface FunctionLength {
  readonly name: string
  readonly lines: number
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

/** Length of every function of a TypeScript file, innermost functions included. */
export function functionLengths(file: string, text: string): readonly FunctionLength[] {
  const lengths: FunctionLength[] = []
  const visit = (value: unknown, name: string): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, name)
      return
    }
    if (!isNode(value)) return
    const ownName = nameOf(value) ?? name
    if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(value.type)) {
      lengths.push({ name: ownName, lines: text.slice(value.start, value.end).split('\n').length })
    }
    for (const [key, child] of Object.entries(value)) if (key !== 'type') visit(child, ownName)
  }
  visit(parseSync(file, text).program, '')
  return lengths
}

function nameOf(node: Node): string | undefined {
  const holder = (node['id'] ?? node['key']) as Node | null | undefined
  const name = holder?.['name']
  return typeof name === 'string' ? name : undefined
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value
}
