import { english, german, type Messages } from '@haulier/client'

export type { Messages }

/** The texts of an element whose language is `language`. */
export function messagesFor(language: string): Messages {
  return language.toLowerCase().startsWith('de') ? german : english
}
