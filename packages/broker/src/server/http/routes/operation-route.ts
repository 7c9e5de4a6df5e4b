import { type OperationName, operations } from '../../../protocols/api/operations.ts'

/** What an operation says of itself, for the route that runs it. */
export function described(operation: OperationName, tag: string): { id: string; tag: string; summary: string } {
  return { id: operation, tag, summary: operations[operation].summary }
}

/** An answer in JSON. */
export function answer(description: string, schema: object): { description: string; content: Record<string, object> } {
  return { description, content: { 'application/json': schema } }
}
