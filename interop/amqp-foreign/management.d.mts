export interface ManagementAnswer {
  readonly status: number
  readonly body: unknown
}
export const asked: Readonly<Record<string, string>>
export function observeManagement(base: string, amqpPort: number): Promise<Readonly<Record<string, ManagementAnswer>>>
