import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'

/** The button of one file on the example's page. */
export class Button {
  readonly root: Locator

  constructor(
    readonly page: Page,
    readonly fileId: number,
  ) {
    this.root = page.getByRole('group', { name: `File ${fileId}` })
  }

  press(name: string): Promise<void> {
    return this.root.getByRole('button', { name }).click()
  }

  part(name: string): Locator {
    return this.root.locator(`[data-haulier="${name}"]`)
  }

  async is(...phases: string[]): Promise<void> {
    await this.#waitFor(phases.map((phase) => `[data-phase="${phase}"]`).join(', '))
  }

  async connects(...connections: string[]): Promise<void> {
    await this.#waitFor(connections.map((connection) => `[data-connection="${connection}"]`).join(', '))
  }

  /** The text of the element that has the focus: that is in this button. */
  async hasFocusOn(text: string): Promise<void> {
    const focused = () => this.page.evaluate(() => document.activeElement?.textContent)
    await expect.poll(focused, { timeout: 5_000 }).toBe(text)
  }

  /** Past `percent`, and not ready. */
  async passes(percent: number): Promise<void> {
    const value = () => this.part('progress').getAttribute('aria-valuenow', { timeout: 5_000 })
    await expect.poll(async () => Number(await value()), { timeout: 15_000 }).toBeGreaterThan(percent)
  }

  async #waitFor(selector: string): Promise<void> {
    await this.root.and(this.page.locator(selector)).waitFor({ timeout: 30_000 })
  }
}
