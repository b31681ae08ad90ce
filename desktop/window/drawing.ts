/** How windows are drawn, unless the person has said otherwise. Pure. */

/** From this minor version of GTK 4 on GDK_DISABLE says what GDK_DEBUG said before. Source: GTK's news of 4.15. */
const GDK_DISABLE_SINCE = 16;

/**
 * Variables to set before the toolkit starts. Without the graphics card's library, which alone takes more memory than both of
 * our processes: windows of text and a small graph need none. Who has chosen anything himself gets exactly that.
 */
export function drawingVariables(
  environment: Readonly<Record<string, string | undefined>>, gtkMinor: number,
): Readonly<Record<string, string>> {
  const chosen = ['GSK_RENDERER', 'GDK_DISABLE', 'GDK_DEBUG'].some((name) => (environment[name] ?? '') !== '');
  if (chosen) return {};
  return { GSK_RENDERER: 'cairo', ...(gtkMinor < GDK_DISABLE_SINCE ? { GDK_DEBUG: 'gl-disable' } : { GDK_DISABLE: 'gl,vulkan' }) };
}
