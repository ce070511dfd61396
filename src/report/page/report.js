// The feature browser: selection, search and keys. The page's data is JSON in #data, in the form of src/report/pack.ts.
{
  const { make, whole, short, percent, nats, alone, shaded, strongest, featureView } = window.dictlearn;
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const [list, detail, search, sort, groups, count, choice] = [
    at("list"),
    at("detail"),
    at("search"),
    at("sort"),
    at("groups"),
    at("count"),
    at("dictionary"),
  ];

  // State --------------------------------------------------------------------------------------------------------------

  const state = { dictionary: 0, feature: null, group: "", query: "", shown: [] };
  const dictionary = () => data.dictionaries[state.dictionary];
  const find = (number) => dictionary().features.find(({ feature }) => feature === number);

  const VALUES = {
    lossEffect: ({ lossEffect }) => nats(lossEffect),
    lossEffectWhereItFires: ({ lossEffectWhereItFires }) => nats(lossEffectWhereItFires),
    fired: ({ fired }) => percent(fired / dictionary().tokens),
    highest: ({ highest }) => short(highest),
    feature: ({ lossEffect }) => nats(lossEffect),
  };

  const searched = data.strings.map((text) => `${alone(text)}`.toLowerCase());

  /** From this share of its highest activation on, a feature counts as firing on a searched token. */
  const MATCH = 0.25;

  /** How well a feature matches the search, from 0 on; 0: it does not. */
  const score = (feature, query) => {
    if (query === "") return 1;
    const number = query.replace(/^#/, "");
    if (/^\d+$/.test(number)) {
      if (String(feature.feature) === number) return 4;
      if (String(feature.feature).startsWith(number)) return 3;
    }
    let best = feature.promoted.some(([token]) => searched[token].includes(query)) ? MATCH : 0;
    for (const { context, active } of feature.contexts) {
      for (let index = 0; index < active.length; index += 2) {
        const share = active[index + 1] / feature.highest;
        if (share >= MATCH && share > best && searched[data.contexts[context][active[index]]].includes(query))
          best = share;
      }
    }
    return best;
  };

  /** The features of the chosen group that match, in the chosen order; with a search, the best match first. */
  const matching = () => {
    const key = sort.value;
    const sign = key === "feature" ? 1 : -1;
    return dictionary()
      .features.filter((each) => state.group === "" || each.groups.includes(state.group))
      .map((feature) => ({ feature, match: score(feature, state.query) }))
      .filter(({ match }) => match > 0)
      .sort(
        (a, b) =>
          b.match - a.match ||
          sign * ((a.feature[key] ?? 0) - (b.feature[key] ?? 0)) ||
          a.feature.feature - b.feature.feature,
      )
      .map(({ feature }) => feature);
  };

  // The list -----------------------------------------------------------------------------------------------------------

  /** The distinct tokens that a feature fires on most, one from each context. */
  const peaks = ({ contexts, highest }) => {
    const found = new Map();
    for (const { context, active } of contexts) {
      const [position, value] = strongest(active);
      const token = data.contexts[context][position];
      if (!found.has(token)) found.set(token, value / highest);
    }
    return [...found].slice(0, 5).map(([token, share]) => [data.strings[token], share]);
  };

  const optionId = (number) => `option-${number}`;

  const showList = () => {
    state.shown = matching();
    list.replaceChildren(
      ...state.shown.map((feature) =>
        make(
          "li",
          { role: "option", id: optionId(feature.feature), "data-feature": String(feature.feature) },
          make("b", {}, String(feature.feature)),
          make(
            "span",
            { class: "peaks" },
            peaks(feature).map(([text, share]) => shaded(alone(text), share, null)),
          ),
          make("span", { class: "value" }, VALUES[sort.value](feature)),
        ),
      ),
    );
    const all = dictionary().features.length;
    const { length } = state.shown;
    const found = length === 0 ? "No feature here matches." : `${length} of ${all} features`;
    const absent = notHere();
    const why = length === 0 || absent === null ? (absent ?? found) : `${found}. ${absent}`;
    count.textContent = length === all ? `${all} features` : why;
    mark();
  };

  /** Whether every feature that fired is on the page. */
  const isComplete = () => dictionary().features.filter(({ fired }) => fired > 0).length === dictionary().firing;

  /** If the search is the number of a feature that is missing from the page: why, and what to do. */
  const notHere = () => {
    const number = state.query.replace(/^#/, "");
    const { size, features } = dictionary();
    if (!/^\d+$/.test(number) || find(Number(number)) !== undefined) return null;
    return Number(number) < size
      ? isComplete()
        ? `Feature ${Number(number)} fired nowhere in the text that was read; dictlearn report … --add-features ${Number(number)} shows it all the same.`
        : `Feature ${Number(number)} is not among the ${features.length} of ${whole.format(size)} on this page; dictlearn report … --add-features ${Number(number)} adds it.`
      : `There is no feature ${number}: the last one is ${size - 1}.`;
  };

  /** Marks the selected feature in the list and brings it into view there. */
  const mark = () => {
    for (const option of list.children) {
      option.setAttribute("aria-selected", String(option.dataset.feature === String(state.feature)));
    }
    const option = at(optionId(state.feature));
    if (option === null) list.removeAttribute("aria-activedescendant");
    else list.setAttribute("aria-activedescendant", option.id);
    if (option === null) return;
    // Not scrollIntoView, which would move the page as well.
    const above = option.offsetTop - list.offsetTop;
    if (above < list.scrollTop) list.scrollTop = above;
    const below = above + option.offsetHeight - list.clientHeight;
    if (below > list.scrollTop) list.scrollTop = below;
  };

  // The selected feature -----------------------------------------------------------------------------------------------

  const showDetail = () => {
    const feature = find(state.feature);
    const why = state.shown.length === 0 ? notHere() : null;
    if (feature === undefined || why !== null) {
      detail.replaceChildren(make("p", { class: "note" }, why ?? "No feature is selected."));
      return;
    }
    const { tokens, noDirectEffect } = dictionary();
    const place = state.shown.indexOf(feature);
    const steps = [step(place - 1, "Previous feature", "‹"), step(place + 1, "Next feature", "›")];
    detail.replaceChildren(...featureView(feature, { data, tokens, noDirectEffect, steps, neighbour, absent }));
  };

  /** A button that goes to the feature at a place in the list, and keeps the focus there. */
  const step = (to, label, text) => {
    const button = make("button", { type: "button", class: "step", "aria-label": label, title: label }, text);
    button.disabled = state.shown[to] === undefined;
    button.addEventListener("click", () => {
      move(to);
      const again = detail.querySelector(`[aria-label="${label}"]`);
      if (again.disabled) detail.focus({ preventScroll: true });
      else again.focus();
    });
    return button;
  };

  /** A neighbour: a link to it, or its number if it is missing from the page. */
  const neighbour = ([number, cosine]) => {
    const value = make("span", {}, `cos ${short(cosine, 2)}`);
    if (find(number) === undefined) return make("li", { class: "absent" }, make("code", {}, String(number)), value);
    const link = make("a", { href: address(number) }, String(number));
    link.addEventListener("click", (event) => {
      // With these keys the browser opens it elsewhere.
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      select(number, "jump");
      detail.focus({ preventScroll: true });
    });
    return make("li", {}, link, value);
  };

  /** Advice about neighbours that are missing from the page; null if there are none. */
  const absent = (neighbours) => {
    const numbers = neighbours.map(([number]) => number).filter((number) => find(number) === undefined);
    if (numbers.length === 0) return null;
    return make(
      "p",
      { class: "absent" },
      `Numbers without a link are not in this report; --add-features ${numbers.join(",")} adds them.`,
    );
  };

  // The address and the history ----------------------------------------------------------------------------------------

  const address = (number) =>
    data.dictionaries.length === 1 ? `#feature-${number}` : `#feature-${state.dictionary}-${number}`;

  /**
   * Keeps the selection in the history. A `jump` is a separate entry; consecutive `step`s share one, so that Back leaves
   * them all; `here` belongs to the current entry.
   */
  const remember = (how) => {
    const { dictionary: index, feature } = state;
    const before = history.state;
    const place = { dictionary: index, feature, stepped: how === "step" };
    if (how === "here") history.replaceState({ ...place, stepped: false }, "");
    else if (before?.dictionary === index && before.feature === feature) return;
    else if (how === "step" && before?.stepped) history.replaceState(place, "", address(feature));
    else history.pushState(place, "", address(feature));
  };

  const select = (number, how) => {
    state.feature = number;
    mark();
    showDetail();
    remember(how);
  };

  const refresh = (how = "step") => {
    showList();
    // The best match of a search comes first; without one, the selection stays while it is in the list.
    const kept = state.query === "" && state.shown.some(({ feature }) => feature === state.feature);
    if (kept || state.shown.length === 0) showDetail();
    else select(state.shown[0].feature, how);
  };

  const move = (to) => {
    const { length } = state.shown;
    if (length > 0) select(state.shown[Math.max(0, Math.min(length - 1, to))].feature, "step");
  };

  const PAGE = 10;
  const moves = {
    ArrowDown: (place) => place + 1,
    ArrowUp: (place) => place - 1,
    PageDown: (place) => place + PAGE,
    PageUp: (place) => place - PAGE,
    Home: () => 0,
    End: () => state.shown.length - 1,
  };

  const onKey = (event) => {
    const typing = event.currentTarget === search;
    // In the search field these move the cursor.
    if (typing && (event.key === "Home" || event.key === "End")) return;
    const next = moves[event.key];
    if (next !== undefined) {
      event.preventDefault();
      move(next(state.shown.findIndex(({ feature }) => feature === state.feature)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      detail.focus({ preventScroll: true });
      detail.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Escape" && typing) {
      search.value = "";
      onSearch();
    }
  };

  const onSearch = () => {
    state.query = search.value.trim().toLowerCase();
    refresh();
  };

  /** Shows a feature of a dictionary, in the list as it is searched and grouped, or else in all of it. */
  const show = ({ dictionary: index, feature }) => {
    if (state.dictionary !== index && choice !== null) choice.value = String(index);
    Object.assign(state, { dictionary: index, feature });
    if (!matching().some((each) => each.feature === feature)) {
      state.query = "";
      search.value = "";
      press("");
    }
    showList();
    showDetail();
  };

  /** Shows the feature that the address names, or explains why it is missing; false if it names none. */
  const follow = () => {
    const found = /^#feature-(?:(\d+)-)?(\d+)$/.exec(location.hash);
    const [, index = "0", number] = found ?? [];
    const named = data.dictionaries[Number(index)];
    if (found === null || named === undefined) return false;
    if (named.features.some(({ feature }) => feature === Number(number))) {
      show({ dictionary: Number(index), feature: Number(number) });
      remember("here");
      return true;
    }
    state.dictionary = Number(index);
    if (choice !== null) choice.value = index;
    search.value = number;
    onSearch();
    return true;
  };

  const press = (group) => {
    state.group = group;
    for (const button of groups.children) button.setAttribute("aria-pressed", String(button.dataset.group === group));
  };

  if (data.dictionaries.length > 0) {
    search.addEventListener("input", onSearch);
    search.addEventListener("keydown", onKey);
    list.addEventListener("keydown", onKey);
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[data-feature]");
      if (option !== null) select(Number(option.dataset.feature), "jump");
    });
    sort.addEventListener("change", refresh);
    groups.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button === null) return;
      press(button.dataset.group);
      refresh();
    });
    choice?.addEventListener("change", () => {
      Object.assign(state, { dictionary: Number(choice.value), feature: null });
      if (!dictionary().features.some((each) => each.groups.includes(state.group))) press("");
      refresh("jump");
    });
    document.addEventListener("keydown", (event) => {
      const { target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) return;
      if (event.key === "/") {
        event.preventDefault();
        search.focus();
        search.select();
      } else if (detail.contains(target) && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
        event.preventDefault();
        move(state.shown.findIndex(({ feature }) => feature === state.feature) + (event.key === "ArrowLeft" ? -1 : 1));
        detail.focus({ preventScroll: true });
      }
    });
    // Back and Forward carry the saved state, a typed address has none.
    addEventListener("popstate", (event) => {
      if (event.state === null) follow();
      else show(event.state);
    });
    if (!follow()) refresh("here");
  }
}
