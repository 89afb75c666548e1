/** The page of `ask --http-port`: it reads `tally` beside itself once a second. Text only ever enters as textContent. */
export const askPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who answered?</title>
<style>
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{max-width:44rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;margin:0}p{margin:.2rem 0 1.5rem;opacity:.75}
code,td{font-family:ui-monospace,monospace}
.bar{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr 4rem;gap:.75rem;align-items:center;margin:.3rem 0}
.bar i{display:block;height:1.1rem;border-radius:.25rem;background:#2f7d6d;transition:width .3s}
.bar.bad i{background:#b4452f}.bar b{text-align:right;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;margin-top:1.5rem}
td{padding:.15rem .75rem .15rem 0;border-top:1px solid #8884;font-size:.85rem}td:last-child{text-align:right}
.bad{color:#b4452f}
</style></head><body>
<h1>Who answered?</h1><p>Asking <code id="url">…</code>, each time on a new connection.</p>
<div id="bars"></div><table><tbody id="latest"></tbody></table>
<script>
const at=(id)=>document.getElementById(id);
const make=(tag,text,name)=>{const e=document.createElement(tag);if(text!==undefined)e.textContent=text;if(name)e.className=name;return e};
async function show(){
  try{
    const {url,counts,latest}=await (await fetch("tally")).json();
    at("url").textContent=url;
    const top=Math.max(1,...counts.map(([,n])=>n));
    at("bars").replaceChildren(...counts.map(([name,n])=>{
      const row=make("div",undefined,name.startsWith("(")?"bar bad":"bar"),fill=make("i");
      fill.style.width=100*n/top+"%";
      row.append(make("code",name),fill,make("b",n));return row}));
    at("latest").replaceChildren(...latest.map((q)=>{
      const row=make("tr",undefined,q.isAnswered?"":"bad");
      row.append(make("td","#"+q.number),make("td",new Date(q.at).toLocaleTimeString()),make("td",q.answer),make("td",q.tookMs+" ms"));return row}));
  }catch{at("url").textContent="(no contact with this pod)"}
  setTimeout(show,1000);
}
show();
</script></body></html>
`;
