/**
 * The client's headers that say who it is: requests made on its behalf (reading back, asking for settings, enumerating)
 * carry these and nothing else of its own. Its X-Opaque-Id stays out, because a cluster tells each deprecation warning
 * once per id.
 */
const names = ['authorization', 'x-forwarded-for', 'x-proxy-user', 'x-proxy-roles'];

export const credentialsOf = (headers: Record<string, string | string[]>): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)));
