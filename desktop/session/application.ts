/**
 * The one instance of each session: Gio.Application takes the name org.bastionfirewall.Desktop, so a second start, the shell
 * and D-Bus activation all reach this process. It has no toolkit; windows are another process.
 */
import type { HelperClient } from '../../helper/contract/client.ts';
import { CHANNEL_LIMITS } from '../channel.ts';
import { openSettings } from '../client/settings.ts';
import { Gio, GLib, registerClass } from '../glib.ts';
import type { BaseApplication, Variant } from '../glib.ts';
import { _ } from '../i18n.ts';
import { DESKTOP_ACTIONS } from '../options.ts';
import type { DesktopAction, DesktopOptions } from '../options.ts';
import { Agent, HOME, warn } from './agent.ts';

export const APPLICATION_ID = 'org.bastionfirewall.Desktop';
/** As the icon's menu says it. */
const ACTION_PAUSE_S = 300;
/** In the data of an activation. Source: D-Bus Activation, Desktop Entry Specification; the second for older callers. */
export const TOKEN_KEYS = ['activation-token', 'desktop-startup-id'] as const;

/** GLib's application, which tells with each activation what lets a window come to the front. */
class BastionSession extends Gio.Application {
  token = '';

  /** Runs before every call from outside. */
  virtual_beforeEmit(data: Variant | null): void {
    this.token = TOKEN_KEYS.map((key) => textOf(data?.lookupValue(key, null) ?? null)).find((text) => text !== '') ?? '';
  }
}
registerClass(BastionSession);

/** '' for anything but a text of sensible length. */
function textOf(value: Variant | null): string {
  const text = value?.getTypeString() === 's' ? value.getString()[0] : '';
  return text.length <= CHANNEL_LIMITS.tokenLength ? text : '';
}

export class SessionApplication {
  readonly #options: DesktopOptions;
  readonly #connect: () => HelperClient;
  readonly #application: BaseApplication & { token: string };
  #agent: Agent | null = null;
  #startToken: string;

  /** `connect` is called once, inside the main loop. `token`: of the click that started this process, '' for none. */
  constructor(options: DesktopOptions, token: string, connect: () => HelperClient) {
    this.#options = options;
    this.#connect = connect;
    this.#startToken = token;
    GLib.setPrgname(APPLICATION_ID);
    this.#application = new BastionSession({ applicationId: APPLICATION_ID });
  }

  /** Takes the name. False when another process of the session has it. */
  register(): boolean {
    this.#application.register(null);
    return !this.#application.getIsRemote();
  }

  /** Returns the exit status when the application has quit. Only after `register`. */
  run(): number {
    // Prompts go on as windows when the session's bus goes away; by default the toolkit would end the process.
    this.#application.getDbusConnection()?.setExitOnClose(false);
    this.#addActions();
    this.#application.on('activate', () => { this.#onActivate(); });
    return this.#application.run([]);
  }

  /** null before the first activation. */
  get agent(): Agent | null {
    return this.#agent;
  }

  quit(): void {
    this.#agent?.stop();
    this.#application.quit();
  }

  /** The first one is this process's own start; those of D-Bus follow it. */
  #onActivate(): void {
    if (this.#agent === null) {
      this.#agent = this.#start();
      const { background, action } = this.#options;
      if (action !== '') this.#act(this.#agent, action);
      if (background || action !== '') return;
    }
    this.#agent.open(HOME, this.#takeToken());
  }

  #start(): Agent {
    GLib.setApplicationName(_('Bastion Firewall'));
    this.#application.hold();
    return new Agent(this.#connect(), openSettings(warn), { window: this.#options.window }, () => { this.quit(); });
  }

  /** One of the actions in the menu of the application's icon. */
  #act(agent: Agent, action: DesktopAction): void {
    if (action === 'pause') agent.pause(ACTION_PAUSE_S);
    else agent.open({ ...HOME, page: action }, this.#takeToken());
  }

  #takeToken(): string {
    const token = this.#application.token || this.#startToken;
    this.#application.token = '';
    this.#startToken = '';
    return token;
  }

  /** What org.freedesktop.Application.ActivateAction can do; anybody on the session's bus may call it. */
  #addActions(): void {
    const add = (name: string, run: (agent: Agent, parameter: string) => void, parameter: 's' | null = null): void => {
      const type = parameter === null ? {} : { parameterType: GLib.VariantType.new(parameter) };
      const action = new Gio.SimpleAction({ name, ...type });
      action.on('activate', (value) => {
        this.#agent ??= this.#start();
        run(this.#agent, textOf(value));
      });
      this.#application.addAction(action);
    };
    add('open-page', (agent, page) => { agent.open({ ...HOME, page: page.slice(0, CHANNEL_LIMITS.nameLength) }, this.#takeToken()); }, 's');
    for (const name of DESKTOP_ACTIONS) add(name, (agent) => { this.#act(agent, name); });
    add('show-prompts', (agent) => { agent.showPrompts(this.#takeToken()); });
    add('quit', () => { setTimeout(() => { this.quit(); }, 0); });
  }
}
