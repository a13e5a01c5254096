// Makes the calls that come as JSON on standard input with an official JavaScript SDK, one after the
// other, and prints the answers as a JSON list: node life.js FAMILY ENDPOINT < calls.json
//
// FAMILY is `newer` (the Darabonba clients: ALB's own package, and for CLB and NLB, whose packages
// are not on npm, the client that those are built on) or `older` (pop-core).
'use strict';

const VERSIONS = { slb: '2014-05-15', alb: '2020-06-16', nlb: '2022-04-30' };
const KEY = { accessKeyId: 'sdk-key', accessKeySecret: 'sdk-secret' };
const lower = (name) => name[0].toLowerCase() + name.slice(1);

function camel(value) {
  if (Array.isArray(value)) return value.map(camel);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [lower(name), camel(one)]));
}

function newer(endpoint) {
  const OpenApi = require('@alicloud/openapi-client');
  const Util = require('@alicloud/openapi-util').default;
  const { RuntimeOptions } = require('@alicloud/tea-util');
  const Alb = require('@alicloud/alb20200616');
  const settings = { ...KEY, endpoint, protocol: 'HTTP', regionId: 'cn-hangzhou' };
  const alb = new Alb.default(new OpenApi.Config(settings));
  const generic = new OpenApi.default(new OpenApi.Config(settings));
  const runtime = new RuntimeOptions({});

  return async (product, action, params) => {
    if (product === 'alb') {
      const request = new Alb[`${action}Request`](camel(params));
      for (const [name, value] of Object.entries(request)) {
        const Part = Alb[`${action}RequestServers`];
        if (name === 'servers' && value) request.servers = value.map((one) => new Part(one));
      }
      return (await alb[lower(action)](request)).body.toMap();
    }
    // As the products' own packages do: CLB's parameters in the query, NLB's in a form.
    const flat = Util.query({ RegionId: 'cn-hangzhou', ...params });
    const place = product === 'nlb' ? { body: flat } : { query: flat };
    const how = new OpenApi.Params({
      action, version: VERSIONS[product], protocol: 'HTTP', pathname: '/', method: 'POST',
      authType: 'AK', style: 'RPC', reqBodyType: 'formData', bodyType: 'json',
    });
    return (await generic.callApi(how, new OpenApi.OpenApiRequest(place), runtime)).body;
  };
}

function older(endpoint) {
  const Client = require('@alicloud/pop-core').RPCClient;
  return (product, action, params) => {
    const client = new Client({ ...KEY, endpoint: `http://${endpoint}`, apiVersion: VERSIONS[product] });
    return client.request(action, { RegionId: 'cn-hangzhou', ...params }, { method: 'POST' });
  };
}

async function main(family, endpoint) {
  const call = { newer, older }[family](endpoint);
  const text = require('fs').readFileSync(0, 'utf-8');
  const answers = [];
  for (const [product, action, params] of JSON.parse(text)) {
    answers.push(await call(product, action, params));
  }
  console.log(JSON.stringify(answers));
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
