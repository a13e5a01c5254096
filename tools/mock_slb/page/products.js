/* The server groups of each product, in one form whatever the product. */

/** {clb, alb, nlb}: lists of groups. `id` is the control API's name of a group. */
export function products(account) {
  return { clb: clb(account), alb: albOrNlb(account.alb), nlb: albOrNlb(account.nlb) };
}

function clb(account) {
  return Object.entries(account.load_balancers).flatMap(([id, balancer]) => {
    const leadingTo = (test) =>
      Object.entries(balancer.listeners)
        .filter(([, one]) => test(one))
        .map(([name, one]) => ({
          listener: `${id}/${name}`,
          name,
          short: name,
          label: clbListener(name, one),
        }));
    const own = { status: balancer.status, ports: true, troubles: [], tags: {} };
    return [
      {
        ...own,
        id,
        kind: "default server group",
        ports: false,
        tags: balancer.tags,
        servers: balancer.servers,
        routes: leadingTo((one) => !one.vserver_group_id && !one.master_slave_group_id),
      },
      ...Object.entries(balancer.vserver_groups).map(([group, one]) => ({
        ...own,
        id: group,
        kind: `vServer group of ${id}`,
        servers: one.servers,
        routes: leadingTo((listener) => listener.vserver_group_id === group),
      })),
      ...Object.entries(balancer.master_slave_groups).map(([group, one]) => ({
        ...own,
        id: group,
        kind: `active/standby group of ${id}, which no call changes`,
        fixed: true,
        servers: one.servers,
        routes: leadingTo((listener) => listener.master_slave_group_id === group),
      })),
    ];
  });
}

function clbListener(name, listener) {
  const to = listener.backend_port ? ` → ${listener.backend_port}` : "";
  const stopped = listener.status === "running" ? "" : `, ${listener.status}`;
  return `${name}${to}${stopped}`;
}

function albOrNlb(product) {
  return Object.entries(product.server_groups).map(([id, group]) => ({
    id,
    kind: kindOf(group),
    status: group.status,
    ports: !group.any_port,
    fixed: group.type === "Fc",
    tags: group.tags,
    troubles: group.troubles,
    servers: group.servers,
    routes: routesTo(id, product.load_balancers),
  }));
}

function kindOf(group) {
  if (group.type === "Fc") return "server group of functions, which has no servers";
  const holds = group.type === "Ip" ? " of addresses" : "";
  return `server group${holds}${group.any_port ? ", forwards all ports" : ""}`;
}

function routesTo(group, balancers) {
  const found = Object.entries(balancers).flatMap(([id, one]) =>
    routes(id, one).filter((route) => route.group === group),
  );
  // by one load balancer's listeners the short names are enough
  const several = new Set(found.map((route) => route.balancer)).size > 1;
  return several ? found.map((route) => ({ ...route, short: route.label })) : found;
}

function routes(balancer, { listeners }) {
  return Object.entries(listeners).flatMap(([id, one]) => {
    const label = `${balancer} ${one.protocol}:${one.port}`;
    const stopped = one.status === "Running" ? "" : `, ${one.status}`;
    const route = { balancer, listener: `${balancer}/${id}`, label: `${label}${stopped}` };
    return [
      { ...route, name: id, short: `${one.protocol}:${one.port}`, group: one.server_group_id },
      ...Object.entries(one.rules).map(([rule, group]) => ({
        ...route,
        name: rule,
        short: rule,
        label: `${label} ${rule}${stopped}`,
        group,
      })),
    ];
  });
}
