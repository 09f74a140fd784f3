const MINUTE_S = 60
const HOUR_S = 3600
const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** A duration as people say it: steps of 5 s below a minute, then minutes, then hours. */
export function duration(seconds: number, locale: string): string {
  if (seconds < MINUTE_S - 2.5) return inUnit(Math.max(5, Math.round(seconds / 5) * 5), 'second', locale)
  if (seconds < HOUR_S - 30) return inUnit(Math.max(1, Math.round(seconds / MINUTE_S)), 'minute', locale)
  return inUnit(Math.max(1, Math.round(seconds / HOUR_S)), 'hour', locale)
}

/** A size in powers of 1000. */
export function size(bytes: number, locale: string): string {
  const power = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: SIZES[power] as string,
    unitDisplay: power === 0 ? 'long' : 'short',
    maximumFractionDigits: power === 0 ? 0 : 1,
  }).format(bytes / 1000 ** power)
}

function inUnit(value: number, unit: string, locale: string): string {
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'long' }).format(value)
}
