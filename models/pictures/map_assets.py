"""Style and behaviour of the map page: pan and zoom, and one route brought to the front."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ground:#f6f5f1;--ink:#1f2328;--soft:#5b626b;--line:#d9d8d3;--card:#fff;
--major:#c2beb4;--minor:#d3d0c8;--foot:#b9b3a6;--green:#d3e8c4;--water:#c4dff0;--red:#c62828;--quick:#6b6f76;
--r1:#0072b2;--r2:#c25e00;--r3:#00805c;--r4:#a83c97;--r5:#5b50c8;--r6:#7a5a12}
@media(prefers-color-scheme:dark){:root{--ground:#1c2024;--ink:#eceff2;--soft:#a9b1ba;--line:#3a4047;
--card:#252a2f;--major:#59616a;--minor:#444b53;--foot:#515960;--green:#26402a;--water:#1f3f57;--red:#ff7a70;
--quick:#9aa2ab;--r1:#56b4e9;--r2:#f2a33c;--r3:#35c797;--r4:#e58bd6;--r5:#a79ff5;--r6:#d6b24c}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.45 system-ui,-apple-system,"Segoe UI","DejaVu Sans",Helvetica,Arial,sans-serif;
background:var(--card);color:var(--ink)}
header,footer{padding:.8rem 1rem}
h1{font-size:1.25rem;margin:0}
p{margin:.2rem 0}
header p,footer,small{color:var(--soft)}
a{color:inherit}
.map{position:relative;height:58vh;min-height:280px;background:var(--ground);
border-block:1px solid var(--line)}
.map svg{width:100%;height:100%;display:block;touch-action:none;cursor:grab}
.map svg:focus-visible{outline:3px solid var(--r1);outline-offset:-3px}
svg path{fill:none;stroke-linecap:round;stroke-linejoin:round;vector-effect:non-scaling-stroke}
svg .around{vector-effect:none}
.green{stroke:var(--green)}.water{stroke:var(--water)}
.major{stroke:var(--major);stroke-width:3px}.minor{stroke:var(--minor);stroke-width:2px}
.foot{stroke:var(--foot);stroke-width:1px}
.closed{stroke:var(--red);stroke-width:2.5px;stroke-dasharray:2 5}
svg .area{fill:var(--red);fill-opacity:.16;stroke:var(--red);stroke-width:2px}
.quickest{stroke:var(--quick);stroke-width:3px;stroke-dasharray:1 7}
.case{stroke:var(--ground)}.way{stroke:var(--c)}
svg .arrow{fill:var(--c);stroke:var(--ground);stroke-width:1.5px}
.badge circle{fill:var(--c);stroke:var(--ground);stroke-width:2}
.badge text{fill:var(--ground);font:bold 13px sans-serif;text-anchor:middle}
.end circle{fill:var(--ink);stroke:var(--ground);stroke-width:2}
.start circle{fill:var(--ground);stroke:var(--ink);stroke-width:3}
.routes.chosen .route:not(.on){opacity:.22}
.zoom{position:absolute;top:.6rem;right:.6rem;display:grid;gap:.35rem}
.zoom button{width:2.75rem;height:2.75rem;font-size:1.3rem;border:1px solid var(--line);border-radius:.5rem;
background:var(--card);color:var(--ink)}
.scale{position:absolute;left:.7rem;bottom:.5rem;border:2px solid var(--ink);border-top:0;font-size:.75rem;
padding:0 .3rem;white-space:nowrap;text-shadow:0 0 3px var(--ground),0 0 3px var(--ground)}
.source{position:absolute;right:.5rem;bottom:.3rem;font-size:.75rem;background:var(--ground);padding:0 .3rem}
ol{list-style:none;margin:0;padding:0}
li{border-bottom:1px solid var(--line);padding:.7rem 1rem;border-left:6px solid var(--c)}
li button{all:unset;box-sizing:border-box;width:100%;min-height:2.75rem;cursor:pointer;font-weight:700;
display:flex;gap:.6rem;align-items:center}
li button:focus-visible{outline:3px solid var(--c)}
li button b{background:var(--c);color:var(--card);border-radius:1rem;min-width:1.7rem;text-align:center}
li button[aria-pressed=true]{text-decoration:underline}
table{border-collapse:collapse;width:100%;font-size:.875rem;margin-top:.4rem}
caption{text-align:left;color:var(--soft);font-size:.8125rem}
th{font-weight:400;text-align:left;white-space:nowrap;padding-right:.6rem}
td:nth-child(2){width:60%}td:last-child{text-align:right;white-space:nowrap;padding-left:.6rem}
.bar{position:relative;height:.6rem;background:var(--line);border-radius:.3rem}
.bar span{position:absolute;inset:0 auto 0 0;background:var(--c);border-radius:.3rem}
.bar i{position:absolute;top:-.15rem;bottom:-.15rem;width:3px;margin-left:-1px;background:var(--ink)}
.key{display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:.7rem 1rem;font-size:.875rem;color:var(--soft)}
.key svg{width:1.9rem;height:.8rem;vertical-align:middle;margin-right:.3rem}
@media(min-width:60rem){main{display:grid;grid-template-columns:1fr 25rem}.map{height:calc(100vh - 8rem)}
.list{overflow-y:auto;height:calc(100vh - 8rem);border-block:1px solid var(--line)}}
@media print{.zoom,.scale{display:none}}
"""

SCRIPT = """
(()=>{
const svg=document.querySelector('.map svg'),scale=document.querySelector('.scale'),box=svg.viewBox.baseVal;
const home=[box.x,box.y,box.width,box.height];
let view=home.slice();const fingers=new Map();
const perPx=()=>Math.max(view[2]/svg.clientWidth,view[3]/svg.clientHeight);
function show(){
  svg.setAttribute('viewBox',view.join(' '));
  const u=perPx();svg.style.setProperty('--u',u);
  const metre=Number(svg.dataset.metre);let best=1;
  for(const k of [1,10,100,1000,10000])for(const m of [1,2,5])if(m*k*metre/u<=130)best=m*k;
  scale.hidden=false;scale.style.width=best*metre/u+'px';
  scale.textContent=best<1000?best+' m':best/1000+' km';
}
function zoom(by,x,y){
  const r=svg.getBoundingClientRect(),u=perPx();
  const cx=view[0]+view[2]/2,cy=view[1]+view[3]/2;
  const px=x===undefined?cx:cx+(x-r.left-r.width/2)*u,py=y===undefined?cy:cy+(y-r.top-r.height/2)*u;
  const size=Math.min(home[2]*3,Math.max(home[2]/60,view[2]*by)),f=size/view[2];
  view=[px+(view[0]-px)*f,py+(view[1]-py)*f,view[2]*f,view[3]*f];show();
}
function move(dx,dy){const u=perPx();view[0]-=dx*u;view[1]-=dy*u;show()}
svg.addEventListener('pointerdown',e=>{svg.setPointerCapture(e.pointerId);fingers.set(e.pointerId,[e.clientX,e.clientY])});
svg.addEventListener('pointermove',e=>{
  const old=fingers.get(e.pointerId);if(!old)return;
  const rest=[...fingers].filter(([id])=>id!==e.pointerId).map(([,p])=>p);
  fingers.set(e.pointerId,[e.clientX,e.clientY]);
  if(rest.length===0)move(e.clientX-old[0],e.clientY-old[1]);
  else{const [x,y]=rest[0],before=Math.hypot(old[0]-x,old[1]-y),now=Math.hypot(e.clientX-x,e.clientY-y);
    if(now>0&&before>0)zoom(before/now,(e.clientX+x)/2,(e.clientY+y)/2)}
});
for(const name of ['pointerup','pointercancel'])svg.addEventListener(name,e=>fingers.delete(e.pointerId));
svg.addEventListener('wheel',e=>{e.preventDefault();zoom(Math.exp(e.deltaY*.0015),e.clientX,e.clientY)},{passive:false});
svg.addEventListener('keydown',e=>{
  const steps={ArrowLeft:[60,0],ArrowRight:[-60,0],ArrowUp:[0,60],ArrowDown:[0,-60]};
  if(steps[e.key])move(...steps[e.key]);
  else if(e.key==='+'||e.key==='=')zoom(.7);else if(e.key==='-')zoom(1/.7);
  else if(e.key==='0'){view=home.slice();show()}else return;
  e.preventDefault();
});
document.querySelector('.zoom').hidden=false;
document.querySelector('[data-do=in]').onclick=()=>zoom(.7);
document.querySelector('[data-do=out]').onclick=()=>zoom(1/.7);
document.querySelector('[data-do=home]').onclick=()=>{view=home.slice();show()};
const all=document.querySelector('.routes'),buttons=[...document.querySelectorAll('li button')];
for(const button of buttons)button.onclick=()=>{
  const on=button.getAttribute('aria-pressed')!=='true';
  for(const one of buttons)one.setAttribute('aria-pressed',String(on&&one===button));
  for(const route of all.children)route.classList.toggle('on',on&&route.dataset.route===button.dataset.route);
  all.classList.toggle('chosen',on);
  if(on)all.append(all.querySelector('.on'));
};
addEventListener('resize',show);show();
})();
"""
