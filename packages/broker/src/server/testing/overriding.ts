/**
 * The target with some members replaced. All others are the target's own, whatever they are, so that an interface can grow without
 * anything to do here.
 */
export function overriding<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(members, name)) return members[name as keyof T]
      const member: unknown = Reflect.get(target, name, target)
      // Classes with private members work on themselves only.
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
    set: (_, name, value) => Reflect.set(target, name, value, target),
  })
}
