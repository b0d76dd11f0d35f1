/**
 * The products that a new shop shows until it has its own, and their pictures: drawn here, so that nothing has to be
 * fetched or uploaded for them.
 */

export interface Sample {
  /** Names the product in addresses and its picture at /pictures/<handle>. */
  handle: string
  title: string
  description: string
  /** In whole units of the shop's currency, whichever that is. */
  price: number
  /** What is inside a 240 x 180 picture. */
  drawing: string
  background: string
}

export const SAMPLES: readonly Sample[] = [
  {
    handle: "canvas-tote-bag",
    title: "Canvas tote bag",
    description: "Heavy cotton with long handles. Carries the week's shopping and folds into a coat pocket.",
    price: 19.5,
    background: "#e9dfcf",
    drawing: `<path d="M92 74c0-46 56-46 56 0" fill="none" stroke="#7c5a34" stroke-width="6"/>
      <path d="M74 70h92l9 78a8 8 0 0 1-8 9H73a8 8 0 0 1-8-9z" fill="#f8f2e6"/>
      <path d="M104 112c5-12 27-12 32 0-5 12-27 12-32 0z" fill="#c3763f"/>`,
  },
  {
    handle: "enamel-mug",
    title: "Enamel mug",
    description: "For coffee, outdoors and in. Steel under two coats of enamel, with a rim that wears well.",
    price: 12,
    background: "#d5e3e2",
    drawing: `<path d="M150 82h14c22 0 22 44 0 44h-14" fill="none" stroke="#2f5d62" stroke-width="9"/>
      <path d="M78 62h74v80a12 12 0 0 1-12 12H90a12 12 0 0 1-12-12z" fill="#f7faf9"/>
      <path d="M75 58h80v9H75z" fill="#2f5d62"/><circle cx="115" cy="106" r="15" fill="#e2a63d"/>
      <path d="M100 46c-5-8 5-12 0-20M122 46c-5-8 5-12 0-20" fill="none" stroke="#fff" stroke-width="5" stroke-linecap="round"/>`,
  },
  {
    handle: "wool-beanie",
    title: "Wool beanie",
    description: "Knitted in one piece from soft merino. Warm on the ride to work, light enough for the evening.",
    price: 24.9,
    background: "#e5dcea",
    drawing: `<circle cx="120" cy="40" r="14" fill="#fbf8fc"/><path d="M68 122c0-96 104-96 104 0z" fill="#6c4a86"/>
      <path d="M94 118c0-44 8-60 26-64M146 118c0-44-8-60-26-64M120 54v64" fill="none" stroke="#835fa0" stroke-width="4"/>
      <rect x="60" y="116" width="120" height="30" rx="11" fill="#8f6bab"/>`,
  },
  {
    handle: "linen-notebook",
    title: "Linen notebook",
    description: "160 pages of paper that takes ink, bound in linen and lying flat from the first page on.",
    price: 15,
    background: "#dfe5d3",
    drawing: `<rect x="82" y="34" width="84" height="116" rx="6" fill="#fff"/>
      <rect x="76" y="30" width="84" height="116" rx="6" fill="#52703c"/><path d="M88 30v116" stroke="#3f582d" stroke-width="4"/>
      <path d="M146 30v116" stroke="#e3b04b" stroke-width="5"/><rect x="100" y="58" width="34" height="18" rx="3" fill="#f4f1e4"/>`,
  },
]

export function picture({ background, drawing }: Sample): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 180"><rect width="240" height="180" fill="${background}"/>${drawing}</svg>`
}
