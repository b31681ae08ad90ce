/** The network: where this computer is, which profile is in use and why, interfaces, zones with a page for each, and containers. */
import { NetworkFeed } from '../client/network-feed.ts';
import { NotConnectedError } from '../../helper/contract/client.ts';
import type { NetworkZone } from '../../helper/contract/types.ts';
import { Adw, Gtk } from '../gtk.ts';
import type { Label, Widget } from '../gtk.ts';
import { _ } from '../i18n.ts';
import { containerRow, engineRow, ruleNameOf } from '../model/container-text.ts';
import { ROWS_SHOWN, hereRows, interfaceRow, moreNote, zoneExample, zoneRow } from '../model/network-text.ts';
import type { NetworkRow, NetworkView } from '../model/network-text.ts';
import { CopyRow } from './copy-row.ts';
import { loadUi } from './load-ui.ts';
import { linkRow } from './network-rows.ts';
import { PageStates } from './page-states.ts';
import type { Page, PageContext, PageTarget } from './page.ts';
import { ProfileRows } from './profile-rows.ts';
import { LinkRows } from './row-group.ts';
import { showStackPage } from './show-stack-page.ts';
import { TextRows, groupHolder } from './text-rows.ts';
import { ZoneDetail } from './zone-detail.ts';

/** What `bastionctl` calls the lists that are cut here. */
const COMMANDS = { interfaces: 'bastionctl network interfaces', zones: 'bastionctl network zones', containers: 'bastionctl network containers' } as const;
type List = keyof typeof COMMANDS;

export class NetworkPage implements Page {
  readonly #context: PageContext;
  readonly #ui = loadUi('network-page');
  readonly #pages = this.#ui.get('page', Gtk.Stack);
  readonly #states = new PageStates(this.#pages);
  readonly #back = this.#ui.get('back', Gtk.Button);
  readonly #feed: NetworkFeed;
  readonly #profiles: ProfileRows;
  readonly #here = new TextRows(groupHolder(this.#ui.get('here', Adw.PreferencesGroup)));
  readonly #lists: Readonly<Record<List, LinkRows>>;
  readonly #engines = new LinkRows(this.#ui.get('engines', Adw.PreferencesGroup));
  readonly #example: CopyRow;
  readonly #detail: ZoneDetail;
  /** Id of the zone whose page is open, '' for none. */
  #zone = '';
  #narrow = false;

  constructor(context: PageContext) {
    this.#context = context;
    this.#feed = new NetworkFeed(context.session);
    this.#profiles = new ProfileRows(context, this.#ui.get('profiles', Adw.PreferencesGroup));
    const list = (name: List): LinkRows => new LinkRows(this.#ui.get(name, Adw.PreferencesGroup));
    this.#lists = { interfaces: list('interfaces'), zones: list('zones'), containers: list('containers') };
    this.#example = new CopyRow((text) => { context.toast(text); });
    this.#ui.get('zones_example', Gtk.ListBox).append(this.#example.widget);
    this.#detail = new ZoneDetail(context);
    this.#pages.addNamed(this.#detail.widget, 'zone');
    showStackPage(this.#pages, 'list');
    this.#back.on('clicked', () => { this.back(); });
    this.#feed.changed.on(() => { this.#update(); });
  }

  get widget(): Widget {
    return this.#states.widget;
  }

  get headerStart(): readonly Widget[] {
    return [this.#back];
  }

  shown(target: PageTarget): void {
    if (target.item !== undefined) this.#zone = target.item;
    this.#feed.start();
    this.#update();
  }

  hidden(): void {
    this.#feed.stop();
  }

  setNarrow(narrow: boolean): void {
    this.#narrow = narrow;
    this.#updateHeader();
  }

  back(): boolean {
    if (this.#zone === '') return false;
    const { state } = this.#feed;
    const place = state.kind === 'ready' ? state.view.zones.findIndex(({ id }) => id === this.#zone) : -1;
    this.#zone = '';
    showStackPage(this.#pages, 'list');
    this.#updateHeader();
    if (place >= 0) this.#lists.zones.focus(place);
    return true;
  }

  /** The window has a button of its own for the way back where it is narrow. */
  #updateHeader(): void {
    this.#back.setVisible(this.#zone !== '' && !this.#narrow);
  }

  #update(): void {
    const { state } = this.#feed;
    if (!this.#context.session.knowledge.connected) {
      this.#states.showError(new NotConnectedError('not connected'), () => undefined);
    } else if (state.kind === 'reading') {
      this.#states.showLoading(_('Reading the network…'));
    } else if (state.kind === 'failed') {
      this.#states.showError(state.error, () => { this.#feed.read(); });
    } else {
      this.#fill(state.view);
      this.#states.showContent();
    }
  }

  #fill(view: NetworkView): void {
    this.#here.fill(hereRows(view));
    this.#profiles.fill(view.profiles);
    const noInterface: NetworkRow = {
      icon: 'network-offline-symbolic', title: _('No Network Interfaces'), text: _('This computer has no connection to a network.'), isWrong: false,
    };
    this.#lists.interfaces.fill(view.interfaces.length === 0 ? [linkRow(noInterface)] : view.interfaces.slice(0, ROWS_SHOWN).map((one) => linkRow(interfaceRow(one))));
    this.#note('interfaces', view.interfaces.length);
    this.#fillZones(view);
    this.#fillContainers(view);
  }

  #fillZones(view: NetworkView): void {
    const { zones, state } = view;
    const noZone: NetworkRow = {
      icon: 'network-workgroup-symbolic', title: _('No Zones Yet'), text: _('To make one, add lines like these to /etc/bastion/bastion.toml:'), isWrong: false,
    };
    this.#lists.zones.fill(zones.length === 0 ? [linkRow(noZone)] : zones.slice(0, ROWS_SHOWN).map((zone) => (
      linkRow(zoneRow(zone, state), { open: () => { this.#open(zone); } })
    )));
    this.#ui.get('zones_example', Gtk.ListBox).setVisible(zones.length === 0);
    this.#example.setText(zones.length === 0 ? zoneExample(view.interfaces) : '');
    this.#note('zones', zones.length);
    if (this.#zone === '') return;
    const open = zones.find(({ id }) => id === this.#zone);
    if (open === undefined) {
      this.back();
      this.#context.toast(_('This zone is not there any more.'));
    } else {
      this.#detail.fill(open, view);
      if (this.#pages.getVisibleChildName() !== 'zone') this.#showZone();
    }
  }

  #fillContainers({ containers, state: { engines = [] } }: NetworkView): void {
    const noEngine: NetworkRow = {
      icon: 'package-x-generic-symbolic', title: _('No Containers'),
      text: _('Containers of Docker and Podman appear here by themselves when one of them is running.'), isWrong: false,
    };
    this.#engines.fill(engines.length === 0 ? [linkRow(noEngine)] : engines.map((engine) => linkRow(engineRow(engine))));
    this.#ui.get('containers', Adw.PreferencesGroup).setVisible(containers.length > 0);
    this.#lists.containers.fill(containers.slice(0, ROWS_SHOWN).map((container) => linkRow(containerRow(container), {
      button: { label: _('_Make a Rule…'), run: () => { this.#context.editRule(null, { container: ruleNameOf(container) }); } },
    })));
    this.#note('containers', containers.length);
  }

  #note(list: List, total: number): void {
    const label: Label = this.#ui.get(`${list}_note`, Gtk.Label);
    const note = moreNote(total, COMMANDS[list]);
    label.setVisible(note !== '');
    label.setLabel(note);
  }

  #open(zone: NetworkZone): void {
    const { state } = this.#feed;
    if (state.kind !== 'ready') return;
    this.#zone = zone.id;
    this.#detail.fill(zone, state.view);
    this.#showZone();
  }

  #showZone(): void {
    showStackPage(this.#pages, 'zone');
    this.#updateHeader();
    if (!this.#detail.focus() && !this.#narrow) this.#back.grabFocus();
  }
}
